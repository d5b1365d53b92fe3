// Elements, ticks, lanes and ink: what panels are drawn with. Lengths are pixels.

function make(tag, properties = {}, ...children) {
  const { dataset = {}, style = {}, aria = {}, ...rest } = properties;
  const element = Object.assign(document.createElement(tag), rest);
  Object.assign(element.dataset, dataset);
  for (const [name, value] of Object.entries(style)) element.style.setProperty(name, value);
  for (const [name, value] of Object.entries(aria)) element.setAttribute(`aria-${name}`, value);
  element.append(...children.filter(child => child !== null));
  return element;
}

function clock(seconds, digits = 0) {
  const scale = 10 ** digits, whole = Math.round(seconds * scale), minutes = Math.floor(whole / scale / 60);
  const rest = (whole / scale - minutes * 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  const hours = Math.floor(minutes / 60);
  return hours ? `${hours}:${String(minutes % 60).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

function ticks(extent, most) {
  const least = extent / most;
  const round = value => {
    const power = 10 ** Math.floor(Math.log10(value));
    return [1, 2, 5, 10].map(digit => digit * power).find(each => each >= value);
  };
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
  const step = least <= 0.5 ? round(least) : steps.find(each => each >= least) ?? 3600 * round(least / 3600);
  const count = Math.floor(extent / step * (1 + 1e-9)) + 1;
  return Array.from({ length: count }, (_, i) => i * step)
    .map(time => ({ time, words: extent < 60 ? `${Number(time.toPrecision(6))} s` : clock(time) }));
}

function lanes(spans) {
  const taken = [];
  return spans.map(span => {
    let lane = taken.findIndex(others => others.every(each => each.end <= span.start || each.start >= span.end));
    if (lane < 0) lane = taken.push([]) - 1;
    taken[lane].push(span);
    return lane;
  });
}

// Black or white, whichever is read better on a colour of some opacity over the track.
function ink(colour, opacity, track) {
  const channels = text => [1, 3, 5].map(i => parseInt(text.slice(i, i + 2), 16) / 255);
  const under = channels(track), over = channels(colour);
  const [r, g, b] = over.map((each, i) => opacity * each + (1 - opacity) * under[i])
    .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}
