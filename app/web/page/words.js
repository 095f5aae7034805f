// What the page says in numbers.

export const count = (n) => n.toLocaleString("en");
export const megabytes = (bytes) => (bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`);

export function markedWords(share) {
  if (share === 0) return "Paint over all that is damaged, a little beyond its edge.";
  if (share > 0.999) return "Everything is marked: leave something for the repair to go by.";
  const percent = 100 * share;
  const most = share > 0.5 ? " More than half: little is left to go by." : "";
  return `${percent < 0.1 ? "less than 0.1" : percent.toFixed(percent < 10 ? 1 : 0)} % of the photo is marked.${most}`;
}

export function facts(photo) {
  const pairs = [
    ["Name", photo.name],
    ["Size", `${count(photo.width)} × ${count(photo.height)}`],
    ["Kind", `${photo.format}, ${photo.kind}`],
  ];
  if (photo.pages > 1) pairs.push(["Pages", `${photo.pages}; the first is repaired`]);
  if (photo.keeps.length) pairs.push(["Kept", photo.keeps.join(", ")]);
  return pairs;
}

export function jobWords(job) {
  if (job.state === "waiting") return job.ahead === 1 ? "Waiting: 1 before you" : `Waiting: ${job.ahead} before you`;
  const seconds = job.seconds >= 2 ? `, ${Math.round(job.seconds)} s` : "";
  if (job.kind === "open") return `Reading the photo${seconds}`;
  if (job.kind === "mask") return `Reading the mask${seconds}`;
  if (job.kind === "find") return (job.total > 1 ? `Looking for damage: ${Math.floor((100 * job.done) / job.total)} %` : "Looking for damage") + seconds;
  return (job.total > 1 ? `Repairing: ${Math.floor((100 * job.done) / job.total)} %` : "Repairing") + seconds;
}

export function resultWords(result) {
  const done = `${count(result.pixels)} pixels rebuilt in ${result.seconds} s.`;
  if (!result.expected) return `${done} How far off they are isn't known here.`;
  const { mae, low, high, share } = result.expected;
  return `${done} Expect them to be off by ${mae.toFixed(0)} grey levels of 255 on average (${low.toFixed(0)} to ${high.toFixed(0)} in ${100 * share} % of such photos).`;
}
