/** What may pass when it is asked for again: one rule for whatever counts, filters, saves or says it. */

/**
 * Whether the row of *error* may come to something another time. The service says so of what hosts and
 * networks do now; a row that was cut off when its run ended was never answered at all.
 */
export const mayPass = (error) => error.retryable === true || error.code === "cancelled";
