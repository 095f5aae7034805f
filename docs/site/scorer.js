/* How search results are ordered: a lesson that has the word in its title comes before the reference of the same name.
   The other numbers are Sphinx's own. */
var Scorer = {
  score: ([page, , , , score, , kind]) =>
    kind === SearchResultKind.text && score >= Scorer.title && page.startsWith("book/") ? score + 100 : score,
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
