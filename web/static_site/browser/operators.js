// The operators of a query in an exported site: category:, type:, before: and after:, as on the served site.
const TYPES = ["image", "gif", "video"];
const UNIX = 719163; // the day 1 January 1970, counted from 1 January of the year 1

const fold = (name) => name.normalize("NFC").toLowerCase().trim();

// What the operators let pass, and those that say nothing here: { passes: (fact) => …, ignored: typed operators }.
export function filterOf(operators, categories) {
  const ignored = [];
  const all = [];
  const either = {}; // a meme has one category and one type: several of them are alternatives
  for (const one of operators) {
    const test = testOf(one, categories);
    if (!test) ignored.push(one.typed);
    else if (one.excluded) all.push((fact) => !test(fact));
    else if (one.kind === "category" || one.kind === "type") (either[one.kind] ??= []).push(test);
    else all.push(test);
  }
  const groups = Object.values(either);
  return { passes: (fact) => all.every((test) => test(fact)) && groups.every((tests) => tests.some((test) => test(fact))), ignored };
}

function testOf({ kind, value, excluded }, categories) {
  if (kind === "category") {
    const wanted = fold(value);
    const known = categories.filter((name) => fold(name) === wanted || fold(name).startsWith(`${wanted} - `));
    const ends = known.length ? [] : categories.filter((name) => fold(name).endsWith(` - ${wanted}`));
    const chosen = ends.length === 1 ? ends : known; // the last part of a name, if one category alone ends so
    return chosen.length ? (fact) => chosen.includes(fact.category) : undefined;
  }
  if (kind === "type") {
    const types = value.toLowerCase().split("|");
    return types.every((type) => TYPES.includes(type)) ? (fact) => types.includes(fact.type) : undefined;
  }
  if (kind !== "before" && kind !== "after") return undefined;
  const [, year, month = "1", date = "1"] = /^(\d{4})(?:[-/](\d{1,2})(?:[-/](\d{1,2}))?)?$/.exec(value) ?? [];
  const time = new Date(Date.UTC(Number(year), Number(month) - 1, Number(date)));
  if (!year || excluded || time.getUTCMonth() !== Number(month) - 1 || time.getUTCDate() !== Number(date)) return undefined;
  const day = time.getTime() / 86_400_000 + UNIX;
  return kind === "before" ? (fact) => fact.day < day : (fact) => fact.day >= day;
}
