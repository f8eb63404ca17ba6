/** What is predicted, counted: each flag, and each label that scores highest. */

const MOST_LABELS = 40;

/** @returns {{rows: number, flags: [string, number][], labels: [string, number][]}} the most frequent first */
export function saidOf(records) {
  const flags = records.flagNames.map((name) => [name, 0]);
  const labels = new Uint32Array(records.labels.size);
  let rows = 0;
  for (let row = 0; row < records.length; row++) {
    if (records.code.at(row) === 0) rows += 1;
    labels[records.label.at(row)] += 1;
    for (let bits = records.flags.at(row); bits !== 0; bits &= bits - 1) {
      flags[31 - Math.clz32(bits & -bits)][1] += 1;
    }
  }
  const most = (pairs) => pairs.filter(([, count]) => count > 0).sort((one, other) => other[1] - one[1]);
  const named = [...labels].map((count, number) => [records.labels.text(number), count]).slice(1);
  return { rows, flags: most(flags), labels: most(named).slice(0, MOST_LABELS) };
}
