/**
 * @typedef {import('../../../observe/status/report.ts').StatusReport} StatusReport
 * @typedef {import('../../../observe/status/report.ts').Card} Card
 * @typedef {import('../../../observe/status/report.ts').Table} Table
 * @typedef {import('../../../observe/status/report-change.ts').ReportChange} ReportChange
 * @typedef {import('../../../observe/status/report-change.ts').CardChange} CardChange
 * @typedef {import('../../../observe/status/report-change.ts').TableChange} TableChange
 */

/**
 * The report that a change makes of the one before.
 * @param {StatusReport} report
 * @param {ReportChange} change
 * @returns {StatusReport}
 */
export function changed(report, change) {
  const { cards = [], ...rest } = change;
  const changes = new Map(cards.map((card) => [card.id, card]));
  return {
    ...report,
    ...rest,
    cards: report.cards.map((card) => {
      const its = changes.get(card.id);
      return its === undefined ? card : changedCard(card, its);
    }),
  };
}

/**
 * @param {Card} card
 * @param {CardChange} change
 * @returns {Card}
 */
function changedCard(card, { facts = card.facts, table }) {
  if (table === undefined || card.table === undefined) return { ...card, facts };
  return { ...card, facts, table: changedTable(card.table, table) };
}

/**
 * @param {Table} old
 * @param {TableChange} change
 * @returns {Table}
 */
function changedTable(old, { rows, keys, total }) {
  const fresh = new Map(rows.map((row) => [row.key, row]));
  if (keys === undefined) return { ...old, total, rows: old.rows.map((row) => fresh.get(row.key) ?? row) };
  const known = new Map(old.rows.map((row) => [row.key, row]));
  const all = keys.map((key) => fresh.get(key) ?? known.get(key));
  return { ...old, total, rows: all.filter((row) => row !== undefined) };
}
