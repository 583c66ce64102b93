// The little that pages do by themselves. Everything works without it, only less at hand.

/* Times: told from now, and ticking; the instant itself, in the reader's zone, on hover. ------------------ */

const root = document.documentElement;
const zone = root.dataset.zone || undefined;
const exact = new Intl.DateTimeFormat("sv-SE", {
  dateStyle: "short", timeStyle: "medium", timeZone: zone,
});
const zoneName = zone || Intl.DateTimeFormat().resolvedOptions().timeZone;
// How far this browser's clock is from the server's, so that "in 3 min" is the server's three minutes.
const skew = Number(root.dataset.now || Date.now()) - Date.now();

/** The same words as the server's. */
function rough(milliseconds) {
  const seconds = Math.floor(milliseconds / 1000);
  const [unit, name] = seconds < 120 ? [1, "s"] : seconds < 7200 ? [60, "min"]
    : seconds < 172800 ? [3600, "h"] : [86400, "days"];
  return `${Math.floor((seconds + unit / 2) / unit)} ${name}`;
}

function tick() {
  const now = Date.now() + skew;
  for (const time of document.querySelectorAll("time[datetime]")) {
    const at = Date.parse(time.dateTime);
    if (Number.isNaN(at)) continue;
    if (!time.title) time.title = `${exact.format(at)} ${zoneName}`;
    if ("exact" in time.dataset) {
      const text = exact.format(at);
      if (time.textContent !== text) time.textContent = text;
      continue;
    }
    const text = at <= now ? `${rough(now - at)} ago` : `in ${rough(at - now)}`;
    if (time.textContent !== text) time.textContent = text;
  }
}

tick();
setInterval(tick, 1000);
document.addEventListener("htmx:after:swap", tick);

/* Live: the server says that something changed; the page asks what. ---------------------------------------- */

let stream;

function live() {
  const part = document.querySelector("[data-events]");
  if (!part || document.hidden || stream) return;
  stream = new EventSource(part.dataset.events);
  stream.addEventListener("changed", (event) => {
    const shown = document.querySelector("[data-events]");
    if (shown && shown.dataset.version !== event.data) shown.dispatchEvent(new Event("nb:changed"));
  });
  stream.addEventListener("error", () => {
    // A browser gives up where the answer was no stream: signed out, too many pages. Later, then.
    if (stream?.readyState === EventSource.CLOSED) { rest(); setTimeout(live, 15000 + Math.random() * 15000); }
  });
}

function rest() { stream?.close(); stream = undefined; }

document.addEventListener("visibilitychange", () => (document.hidden ? rest() : live()));
window.addEventListener("pagehide", rest);
live();

// A page for strangers is told nothing: it looks again by itself, while somebody sees it.
const calm = document.querySelector("[data-refresh]");
if (calm) {
  setInterval(() => {
    if (!document.hidden) document.querySelector("[data-refresh]")?.dispatchEvent(new Event("nb:changed"));
  }, Number(calm.dataset.refresh) * 1000);
}

// What a page shows of itself elsewhere: the title, and the mark in the tab.
document.addEventListener("htmx:after:swap", () => {
  const part = document.querySelector("[data-title]");
  if (!part) return;
  document.title = part.dataset.title;
  const icon = document.querySelector("link[rel=icon]");
  if (icon && icon.getAttribute("href") !== part.dataset.icon) icon.href = part.dataset.icon;
});

/* At hand ---------------------------------------------------------------------------------------------------- */

function reveal() { for (const made of document.querySelectorAll("[data-needs-script]")) made.hidden = false; }

reveal();
document.addEventListener("htmx:after:swap", reveal);

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const from = document.getElementById(button.dataset.copy);
  const label = button.dataset.label || (button.dataset.label = button.textContent);
  try {
    await navigator.clipboard.writeText(from.value ?? from.textContent);
    button.textContent = "Copied";
  } catch {
    // Not allowed here (plain HTTP): mark the text, so that Ctrl+C takes it.
    getSelection().selectAllChildren(from);
    button.textContent = "Press Ctrl+C";
  }
  setTimeout(() => { button.textContent = label; }, 2000);
});

document.addEventListener("change", (event) => {
  const all = event.target.closest("input[data-all]");
  if (!all) return;
  for (const box of document.querySelectorAll(`input[name="${all.dataset.all}"]`)) box.checked = all.checked;
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select")) return;
  const search = document.querySelector("input[type=search]");
  if (search) { event.preventDefault(); search.focus(); search.select(); }
});

// A form that asks for a time zone begins with the browser's, unless someone has chosen one.
// The preview beside it is told as soon as htmx listens: it begins in a timer, too, which was set before this one.
setTimeout(() => {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  for (const field of document.querySelectorAll("[data-zone-default]")) {
    if (field.dataset.zoneDefault !== field.value || !own || own === field.value) continue;
    field.value = own;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
});

// The fields of the kind of schedule that is chosen; without a script all of them are there.
function chosen() {
  for (const part of document.querySelectorAll("[data-for]")) {
    const [name, ...values] = part.dataset.for.split(" ");
    const picked = document.querySelector(`[name="${name}"]:checked, select[name="${name}"]`)?.value;
    part.hidden = picked !== undefined && !values.includes(picked);
  }
}

chosen();
document.addEventListener("change", chosen);
