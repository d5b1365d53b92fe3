// What the page of a review says to its server: each edit with the version of the video that it was made on, one at a time.
const SUGGESTED = "suggestions", LOOK_EVERY = 3000;  // milliseconds
let number = data.review?.number ?? 0;

async function send(panel, change) {
  const answer = await fetch("api/edit", {
    method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ video: panel.index, version: panel.standing.version, change }),
  });
  return { status: answer.status, ...await answer.json() };
}

// An edit fits a changed video when what it is about is as it was when the user decided.
function stillFits(change, before, after) {
  if (change.kind === "add") return true;
  const ids = change.ids ?? (change.id === undefined ? [] : [change.id]);
  const find = (state, id) => JSON.stringify(state.items.find(item => item[0] === id));
  return ids.length > 0 && ids.every(id => find(before, id) === find(after, id));
}

async function commit(panel, decided, describe) {
  const before = panel.standing, change = typeof decided === "function" ? decided() : decided;
  if (!change) return;
  let answer = await send(panel, change), merged = false;
  if (answer.status === 409) {
    panel.take(answer.state);
    if (!stillFits(change, before, answer.state))
      return tell(`Another tab changed ${panel.name} meanwhile. It is shown as it is now; your change was not made: look again.`, true);
    answer = await send(panel, change);
    merged = true;
  }
  if (answer.status !== 200) {
    if (answer.state) panel.take(answer.state);
    else panel.draw();
    return tell(`Not done: ${answer.error}.`, true);
  }
  panel.take(answer.state);
  if (merged) tell(`Another tab changed ${panel.name} meanwhile; your change was made on top of it.`);
  else if (describe) tell(describe);
  return answer.state;
}

// Quick edits wait for each other, so that each is made on the version that the one before left; one that adds to what
// is there is a function, which is asked for it when its turn has come.
function edit(panel, change, describe = "") {
  const done = (panel.queue ?? Promise.resolve()).then(() => commit(panel, change, describe)).catch(() => {
    panel.draw();
    tell("The server does not answer: this change is not saved. Start it again with the same command, then open its new address.", true);
  });
  panel.queue = done;
  return done;
}

// What other tabs did.
async function look() {
  const waiting = panels.map(panel => panel.queue).filter(Boolean);
  await Promise.all(waiting);
  const answer = await fetch(`api/changes?since=${number}`);
  if (!answer.ok) return;
  const changes = await answer.json();
  number = Math.max(number, changes.number);
  for (const [index, state] of Object.entries(changes.states))
    if (state.version > panels[index].standing.version) panels[index].take(state);
}

function follow() {
  const again = () => { if (!document.hidden) look().catch(() => {}); };
  setInterval(again, LOOK_EVERY);
  document.addEventListener("visibilitychange", again);
  const labels = make("datalist", { id: "labels" });
  labels.append(...data.classes.map(each => make("option", { value: each.label })));
  document.body.append(labels);
  progress();
}

// How far the review is, under the page's title.
function progress() {
  const done = panels.filter(panel => panel.standing.done).length;
  page.progress.textContent = `${done} of ${panels.length} videos done. Written to ${data.review.out}`;
}
