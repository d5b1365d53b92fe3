// Which detections agree with which true actions, and what is shown of either. Times are seconds.
const TRUTH = "truth", AGREEMENT = 0.5;
const view = { floor: 0, hidden: new Set(), version: 0 };

function overlap(a, b) {
  const shared = Math.max(0, Math.min(a.end, b.end) - Math.max(a.start, b.start));
  return shared / (a.end - a.start + b.end - b.start - shared);
}

// Greedy, the surest first: a detection takes the free true action of its class that it overlaps most. The surest
// choose before the others, so a higher floor takes choices away and changes none: once is enough for every floor.
function match(truth, detections) {
  const taken = new Set();
  for (const detection of [...detections].sort((a, b) => b.score - a.score)) {
    const free = truth.filter(each => each.label === detection.label && !taken.has(each));
    const best = free.reduce((a, b) => a && overlap(a, detection) >= overlap(b, detection) ? a : b, null);
    if (!best || overlap(best, detection) < AGREEMENT) continue;
    taken.add(best);
    detection.partner = best;
    best.finders.push(detection);
  }
}

const isShown = action => !view.hidden.has(action.label) && (action.row === TRUTH || action.score >= view.floor);

// "matched" or "false", "found" or "missed"; nothing where there is no truth, or nothing to compare it with.
function verdict(panel, action) {
  if (!panel.truth || !panel.others.length) return "";
  if (action.row !== TRUTH) return action.partner ? "matched" : "false";
  return action.finders.some(each => each.score >= view.floor) ? "found" : "missed";
}

function count(panel, row) {
  const truth = (panel.truth?.actions ?? []).filter(isShown), shown = row.actions.filter(isShown);
  const finds = each => each.row === row.name && each.score >= view.floor;
  return {
    truth: truth.length, found: truth.filter(each => each.finders.some(finds)).length,
    shown: shown.length, matched: shown.filter(each => each.partner).length,
  };
}

// The score from which on F1 over all videos is best; without truth, that which leaves about 20 a video.
function firstFloor(panels) {
  const rows = panels.flatMap(panel => panel.others.map(row => ({ row, truth: panel.truth })));
  const pool = rows.flatMap(({ row }) => row.actions).sort((a, b) => b.score - a.score);
  const wanted = rows.reduce((sum, { truth }) => sum + (truth?.actions.length ?? 0), 0);
  const down = score => Math.max(0, Math.floor(score * 100) / 100);
  if (!pool.length) return { floor: 0, reason: "" };
  if (!wanted) {
    const last = pool[Math.min(pool.length, 20 * rows.length) - 1];
    return { floor: down(last.score), reason: "starts where about 20 a video are left" };
  }
  let hits = 0, best = { f1: -1, score: 0 };
  pool.forEach((action, i) => {
    if (action.partner) hits += 1;
    const f1 = 2 * hits / (i + 1 + wanted);
    if (pool[i + 1]?.score !== action.score && f1 > best.f1) best = { f1, score: action.score };
  });
  return { floor: down(best.score), reason: `starts where F1 at tIoU ${AGREEMENT} is best` };
}
