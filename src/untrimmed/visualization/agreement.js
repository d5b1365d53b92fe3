// Which detections agree with which true actions, and what is shown of either. Times are seconds.
const data = JSON.parse(document.getElementById("report-data").textContent);
const colours = new Map(data.classes.map(each => [each.label, each.colour]));
const TRUTH = data.truth, MARKS = {
  matched: "✓", found: "✓", partly: "◐", false: "✗", missed: "○", accepted: "✓", open: "?", covered: "=", rejected: "✗",
};
const view = { floor: 0, tiou: 0.5, hidden: new Set(), curves: true, version: 0 };

const unpack = row => ({ name: row.name, actions: row.actions.map(([start, end, label, score]) =>
  ({ start, end, label: data.classes[label].label, score, row: row.name, finders: [], partner: null })) });

function overlap(a, b) {
  const shared = Math.max(0, Math.min(a.end, b.end) - Math.max(a.start, b.start));
  const both = a.end - a.start + b.end - b.start - shared;
  return both > 0 ? shared / both : 0;
}

// Greedy, the surest first: a detection takes the free true action of its class that it overlaps most. The surest
// choose before the others, so a higher floor takes choices away and changes none: once is enough for every floor.
function match(truth, detections) {
  const taken = new Set();
  for (const detection of [...detections].sort((a, b) => b.score - a.score)) {
    const free = truth.filter(each => each.label === detection.label && !taken.has(each));
    const best = free.reduce((a, b) => a && overlap(a, detection) >= overlap(b, detection) ? a : b, null);
    if (!best || overlap(best, detection) < view.tiou) continue;
    taken.add(best);
    detection.partner = best;
    best.finders.push(detection);
  }
}

function rematch(panel) {
  for (const row of panel.rows) for (const action of row.actions) Object.assign(action, { finders: [], partner: null });
  if (panel.truth) for (const row of panel.others) match(panel.truth.actions, row.actions);
}

const isShown = action => !view.hidden.has(action.label) && (action.row === TRUTH || action.score >= view.floor);
const finds = row => each => each.row === row.name && each.score >= view.floor;

// One of the words in MARKS; nothing where there is no truth, or nothing to compare it with.
function verdict(panel, action) {
  if (action.status) return action.status;
  if (!panel.truth || !panel.others.length || (data.review && !panel.truth.actions.length)) return "";
  if (action.row !== TRUTH) return action.partner ? "matched" : "false";
  const found = panel.others.filter(row => action.finders.some(finds(row))).length;
  return found === 0 ? "missed" : found < panel.others.length ? "partly" : "found";
}

function count(panel, row) {
  const truth = (panel.truth?.actions ?? []).filter(isShown), shown = row.actions.filter(isShown);
  return {
    truth: truth.length, found: truth.filter(each => each.finders.some(finds(row))).length,
    shown: shown.length, matched: shown.filter(each => each.partner).length,
  };
}

// The score from which on F1 over all videos is best; without truth, that which leaves about 20 a video.
function firstFloor(panels) {
  // A review decides about one detector: the others are there to compare.
  const judged = panel => data.review ? panel.others.slice(0, 1) : panel.others;
  const rows = panels.flatMap(panel => judged(panel).map(row => ({ row, truth: panel.truth })));
  const pool = rows.flatMap(({ row }) => row.actions).sort((a, b) => b.score - a.score);
  const wanted = rows.reduce((sum, { truth }) => sum + (truth?.actions.length ?? 0), 0);
  const down = score => Math.max(0, Math.floor(score * 100) / 100);
  if (!pool.length) return { floor: 0, reason: "" };
  if (!wanted || data.review) {
    const few = data.review ? 10 : 20, last = pool[Math.min(pool.length, few * rows.length) - 1];
    return { floor: down(last.score), reason: `starts where about ${few} a video are left` };
  }
  let hits = 0, best = { f1: -1, score: 0 };
  pool.forEach((action, i) => {
    if (action.partner) hits += 1;
    const f1 = 2 * hits / (i + 1 + wanted);
    if (pool[i + 1]?.score !== action.score && f1 > best.f1) best = { f1, score: action.score };
  });
  return { floor: down(best.score), reason: `starts where F1 at tIoU ${view.tiou} is best` };
}
