/**
 * Spans of the service, whose offsets count Unicode code points, as pieces of a JavaScript string, whose offsets count
 * UTF-16 code units: an emoji is one code point and two code units.
 * @module
 */

/** @typedef {[number, number, number]} Span Begin, end and weight. */
/** @typedef {{text: string, shade: number}} Piece Shade: 1 to 4 for the label, -4 to -1 against it, 0 for neither. */

const SHADES = 4;
/** Words below this share of the strongest weight are not highlighted. */
const FAINT = 0.1;

/**
 * UTF-16 offsets of code point offsets; offsets past the end become the length.
 * @param {string} text
 * @param {number[]} offsets Ascending.
 * @returns {number[]}
 */
export function utf16Offsets(text, offsets) {
  const found = [];
  let points = 0;
  let units = 0;
  for (const offset of offsets) {
    while (points < offset && units < text.length) {
      units += text.codePointAt(units) > 0xffff ? 2 : 1;
      points += 1;
    }
    found.push(units);
  }
  return found;
}

/**
 * The text in pieces with a shade each; spans that overlap an earlier one or lie outside the text are left out.
 * @param {string} text
 * @param {Span[]} spans
 * @returns {Piece[]}
 */
export function pieces(text, spans) {
  const most = Math.max(0, ...spans.map(([, , weight]) => Math.abs(weight)));
  const kept = spans.filter(([begin, end, weight]) => end > begin && Math.abs(weight) > FAINT * most);
  kept.sort((one, other) => one[0] - other[0]);
  const disjoint = [];
  for (const span of kept) {
    if (disjoint.length === 0 || span[0] >= disjoint[disjoint.length - 1][1]) disjoint.push(span);
  }
  const offsets = utf16Offsets(
    text,
    disjoint.flatMap(([begin, end]) => [begin, end]),
  );
  const found = [];
  let at = 0;
  disjoint.forEach(([, , weight], number) => {
    const [begin, end] = offsets.slice(2 * number, 2 * number + 2);
    const shade = Math.ceil((SHADES * Math.abs(weight)) / most) * Math.sign(weight);
    found.push({ text: text.slice(at, begin), shade: 0 }, { text: text.slice(begin, end), shade });
    at = end;
  });
  found.push({ text: text.slice(at), shade: 0 });
  return found.filter((piece) => piece.text !== "");
}
