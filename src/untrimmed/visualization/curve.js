// The score of each class over time: the best of the detections that cover a moment, the faint ones too.
const CURVE_HEIGHT = 46, CURVE_MOST = 200;

// Corners of a curve of steps: from each time on, the best score there.
function steps(actions) {
  const best = [...actions].sort((a, b) => b.score - a.score).slice(0, CURVE_MOST);
  const times = [...new Set(best.flatMap(each => [each.start, each.end]))].sort((a, b) => a - b);
  return times.map(time => ({ time, score: best.find(each => each.start <= time && time < each.end)?.score ?? 0 }));
}

function scoreCurve(panel, row) {
  const width = panel.width, x = time => (width * time / panel.extent).toFixed(1);
  const y = score => (CURVE_HEIGHT - 1 - (CURVE_HEIGHT - 4) * Math.min(1, Math.max(0, score) / view.most)).toFixed(1);
  const shown = row.actions.filter(action => !view.hidden.has(action.label));
  const labels = [...new Set(shown.map(action => action.label))].sort();
  const paths = labels.map(label => {
    const corners = steps(shown.filter(action => action.label === label));
    const line = corners.map(({ time, score }) => `H${x(time)}V${y(score)}`).join("");
    const look = { fill: colours.get(label), "fill-opacity": 0.14, stroke: colours.get(label), "stroke-width": 1.4 };
    return draw("path", { d: `M0 ${y(0)}${line}H${width}`, ...look }, draw("title", {}, label));
  });
  const floor = draw("path", { d: `M0 ${y(view.floor)}H${width}`, class: "floor-line" });
  const highest = shown.reduce((best, action) => Math.max(best, action.score), 0);
  const words = `Score over time of ${row.name}, ${labels.length} classes, highest ${highest.toFixed(2)}`;
  const picture = draw("svg", { width, height: CURVE_HEIGHT, role: "img", "aria-label": words }, ...paths, floor);
  const name = make("div", { className: "row-name quiet", textContent: `score to ${view.most.toFixed(2)}` });
  return make("div", { className: "row curve" }, name, make("div", { className: "track" }, picture));
}
