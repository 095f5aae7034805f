/* How search results are ordered: a lesson that has the word in a heading comes before the reference of the same name,
   and first the one that has it in its title. The other numbers are Sphinx's own. */
var Scorer = {
  score: ([page, title, , , score, , kind]) => {
    if (kind !== SearchResultKind.text || score < Scorer.title || !page.startsWith("book/")) return score;
    const words = (new URLSearchParams(location.search).get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    return score + (words.some((word) => title.toLowerCase().includes(word)) ? 200 : 100);
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
