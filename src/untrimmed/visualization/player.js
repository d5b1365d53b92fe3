// Makes the player of a panel, and gives it its video only while the panel is near the window.
class Player {
  constructor(source, onTime) {
    this.source = source;
    this.onTime = onTime;
    this.resume = 0;
    this.video = make("video", { controls: true, playsInline: true, preload: "metadata" });
    this.video.setAttribute("aria-label", `Video ${source.name}`);
    this.note = make("p", { className: "note", textContent: source.note, hidden: !source.note });
    this.element = make("div", { className: "player" }, this.video, this.note);
    if (!source.plays) this.giveUp();
    this.video.addEventListener("error", () => this.video.getAttribute("src") && this.giveUp());
    this.video.addEventListener("loadedmetadata", () => { if (this.resume) this.video.currentTime = this.resume; });
    for (const event of ["seeking", "seeked", "timeupdate", "pause"])
      this.video.addEventListener(event, () => this.report());
    this.video.addEventListener("play", () => { Player.pauseOthers(this); this.follow(); });
  }

  static playing = null;
  static addresses = new Map();

  static pauseOthers(player) {
    if (Player.playing && Player.playing !== player) Player.playing.video.pause();
    Player.playing = player;
  }

  // A video that stands in the page as text becomes a blob the first time it is wanted.
  async address() {
    const { element, address } = this.source;
    if (!element) return address;
    if (!Player.addresses.has(element)) {
      const script = document.getElementById(element);
      const blob = fetch(script.textContent.trim()).then(answer => answer.blob());
      Player.addresses.set(element, blob.then(each => { script.textContent = ""; return URL.createObjectURL(each); }));
    }
    return Player.addresses.get(element);
  }

  async attach() {
    this.near = true;
    if (!this.source.plays || this.video.getAttribute("src")) return;
    const address = await this.address();
    if (this.near && !this.video.getAttribute("src")) this.video.src = address;
  }

  detach() {
    this.near = false;
    if (!this.video.paused || !this.video.getAttribute("src")) return;
    this.resume = this.time;
    this.video.removeAttribute("src");
    this.video.load();
  }

  get time() { return this.video.readyState ? this.video.currentTime : this.resume; }

  async seek(time, play) {
    this.resume = time;
    await this.attach();
    if (this.video.readyState) this.video.currentTime = time;
    if (play) this.play();
  }

  play() { this.video.play().catch(() => {}); }

  toggle() { if (this.video.paused) this.play(); else this.video.pause(); }

  report() { if (this.video.readyState) this.onTime(this.video.currentTime); }

  follow() {
    this.report();
    if (!this.video.paused && !this.video.ended) requestAnimationFrame(() => this.follow());
  }

  giveUp() {
    const { name, address, note } = this.source;
    this.source = { ...this.source, plays: false };
    this.video.hidden = true;
    const title = address ? make("a", { href: address, textContent: name }) : name;
    this.note.replaceChildren(note ? `${note} ` : "This browser cannot play the video ", title);
    this.note.hidden = false;
  }
}
