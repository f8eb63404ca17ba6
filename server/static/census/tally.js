/** What has come so far, as it is shown all the time: counts, and how many came in each second. */

/** Longer than this, and two seconds become one. */
const MOST_POINTS = 600;

export class Tally {
  rows = 0;
  ok = 0;
  failed = 0;
  received = 0; // bytes of bodies
  files = { rows: 0, bytes: 0, received: 0 }; // whose size is known, of rows that were fetched
  step = 1; // seconds a point of `rate` stands for
  points = []; // {ok, failed} by `step` seconds since the beginning
  #began = performance.now();

  count(record) {
    const failed = record.error !== undefined && record.error !== null;
    this.rows += 1;
    this.received += record.fetch?.bytes ?? 0;
    const size = record.image_info?.image_size ?? null;
    if (size !== null && record.fetch?.requests && record.fetch.status !== 304) {
      this.files.rows += 1;
      this.files.bytes += size;
      this.files.received += record.fetch.bytes;
    }
    const outcome = failed ? "failed" : "ok";
    this[outcome] += 1;
    this.#point()[outcome] += 1;
  }

  /** Seconds since the census was asked for. */
  get seconds() {
    return (performance.now() - this.#began) / 1000;
  }

  /** Rows a second, of the last few seconds. */
  get rate() {
    const { points, step } = this;
    const now = Math.floor(this.seconds / step);
    const from = Math.max(0, now - Math.max(1, Math.round(5 / step)));
    let rows = 0;
    for (let at = from; at <= now; at++) rows += points[at] ? points[at].ok + points[at].failed : 0;
    return rows / Math.max(this.seconds - from * step, 0.25);
  }

  /** @returns {{step: number, ok: number[], failed: number[]}} rows a second, by point */
  series() {
    this.#point();
    return {
      step: this.step,
      ok: this.points.map((point) => point.ok / this.step),
      failed: this.points.map((point) => point.failed / this.step),
    };
  }

  #point() {
    let at = Math.floor(this.seconds / this.step);
    if (at >= MOST_POINTS) {
      const halved = [];
      for (let pair = 0; pair < this.points.length; pair += 2) {
        const [one, other] = [this.points[pair], this.points[pair + 1] ?? { ok: 0, failed: 0 }];
        halved.push({ ok: one.ok + other.ok, failed: one.failed + other.failed });
      }
      this.points = halved;
      this.step *= 2;
      return this.#point();
    }
    while (this.points.length <= at) this.points.push({ ok: 0, failed: 0 });
    return this.points[at];
  }
}
