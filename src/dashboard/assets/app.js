// Pages refresh, draw, open a request beside its list, and listen to keys. No text becomes HTML here.

const page = document.body.dataset;
const $ = (query, within = document) => within.querySelector(query);
const all = (query, within = document) => [...within.querySelectorAll(query)];
const make = (tag, kind = "", ...kids) => {
  const made = Object.assign(document.createElement(tag), { className: kind });
  made.append(...kids);
  return made;
};
const parsed = async (answer) => new DOMParser().parseFromString(await answer.text(), "text/html");
const stored = (name, value) => {
  try {
    if (value === undefined) return localStorage.getItem(name);
    localStorage.setItem(name, value);
  } catch {
    return null;
  }
};

// Times, by the clock that was asked for.
const parts = {
  month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
  timeZone: page.local ? undefined : "UTC",
};
const clock = new Intl.DateTimeFormat("en", parts);
const moment = (date) => clock.format(date).replace(",", "");
// Audit events are of any year.
const exact = new Intl.DateTimeFormat("en", { ...parts, year: "numeric", fractionalSecondDigits: 3 });
export function localize(within) {
  if (!page.local) return;
  for (const time of all("time[datetime]", within)) {
    const date = new Date(time.dateTime);
    if (!isNaN(date)) time.textContent = time.closest(".audit, .audit-detail") ? exact.format(date) : moment(date);
  }
}

// Theme.
const root = document.documentElement;
const theme = $("#theme");
const themes = { auto: "◐ Auto", light: "☀ Light", dark: "☾ Dark" };
function paint(name) {
  if (name === "auto") delete root.dataset.theme;
  else root.dataset.theme = name;
  theme.textContent = themes[name];
  theme.setAttribute("aria-label", `Theme: ${name}`);
  draw();
}
theme.addEventListener("click", () => {
  const names = Object.keys(themes);
  const name = names[(names.indexOf(root.dataset.theme ?? "auto") + 1) % names.length];
  stored("tracevault-theme", name);
  paint(name);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());

// Charts: bars of classes of status, and lines of durations beneath.
const chart = $("#chart");
let plots = [];
const compact = new Intl.NumberFormat("en", { notation: "compact" });
const duration = (ms) =>
  ms == null ? "–" : ms < 999.5 ? `${ms.toFixed(ms < 9.95 ? 1 : 0)} ms` : `${(ms / 1000).toFixed(2)} s`;
function colour(name) {
  const probe = chart.appendChild(make("span", `c-${name}`));
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
function legend(data, at) {
  const over = at != null;
  const item = (name, shape, value) => make("span", "", make("i", `c-${shape}`), name, make("b", "", over ? ` ${value()}` : ""));
  $("#legend").replaceChildren(
    over ? make("span", "", moment(new Date(data.at[at] * 1000))) : "",
    ...data.stack.map(([name, shape, counts]) => item(name, shape, () => counts[at].toLocaleString("en"))),
    ...["p50", "p95"].map((name) => item(name, name, () => duration(data[name][at]))),
  );
}
function draw() {
  if (!chart || !window.uPlot) return;
  plots.forEach((plot) => plot.destroy());
  const data = JSON.parse(chart.dataset.chart);
  if (!data.at.length) return;
  const { at, step } = data;
  const ends = [at[0], at.at(-1) + step];
  const axis = { stroke: colour("soft"), grid: { stroke: colour("grid"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  const zoom = (plot) => {
    if (plot.select.width < 6) return;
    const edge = (left, round) => new Date(round(plot.posToVal(left, "x") / step) * step * 1000).toISOString();
    const { left, width } = plot.select;
    location.href = `${chart.dataset.zoom}from=${edge(left, Math.floor)}&to=${edge(left + width, Math.ceil)}`;
  };
  const options = (height, values, series, bare) => ({
    width: chart.clientWidth - 20, height, legend: { show: false },
    padding: [8, 12, bare ? 7 : 0, null],
    cursor: { y: false, points: { show: false }, sync: { key: "t" }, drag: { x: true, y: false, dist: 6 } },
    tzDate: (seconds) => (page.local ? new Date(seconds * 1000) : window.uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC")),
    scales: { x: { range: () => ends }, y: { range: (_, low, high) => [0, (high || 1) * 1.06] } },
    axes: [
      { ...axis, space: 70, size: bare ? 0 : 26, values: (_, marks) => (bare ? [] : marks.map(hour)) },
      { ...axis, size: 56, space: bare ? 34 : 26, values: (_, marks) => marks.map(values) },
    ],
    series: [{}, ...series],
    hooks: { setSelect: [zoom], setCursor: [(plot) => legend(data, plot.cursor.left >= 0 ? plot.cursor.idx : null)] },
  });
  const hour = (second) => {
    const [month, day, time] = moment(new Date(second * 1000)).split(" ");
    return time === "00:00:00" ? `${month} ${day}` : time.slice(0, 5);
  };
  // The highest bar first: each is drawn before the one that stands in front of it.
  let sum = at.map(() => 0);
  const bars = data.stack.map(([, shape, counts]) => {
    sum = sum.map((below, i) => below + counts[i]);
    const fill = colour(shape);
    return { sum, series: { fill, stroke: fill, width: 0, paths: window.uPlot.paths.bars({ size: [0.82, 60], align: 1 }) } };
  }).reverse();
  const whole = (count) => (Number.isInteger(count) ? compact.format(count) : "");
  const upper = options(196, whole, bars.map((bar) => bar.series), true);
  const line = (name, dash) => ({ stroke: colour(name), width: 1.5, dash, spanGaps: true, points: { show: at.length < 3 } });
  const lower = options(104, (ms) => (ms ? duration(ms).replace(".0 ", " ") : "0"), [line("p50"), line("p95", [5, 3])]);
  plots = [
    new window.uPlot(upper, [at, ...bars.map((bar) => bar.sum)], chart),
    new window.uPlot(lower, [at.map((second) => second + step / 2), data.p50, data.p95], chart),
  ];
  legend(data);
}
if (chart) {
  new ResizeObserver(() => plots.forEach((plot) => plot.setSize({ width: chart.clientWidth - 20, height: plot.height }))).observe(chart);
}

// Refreshing: a page asks for itself again, the live list for what is new.
const list = $("#livelist");
const mark = $("#state");
const filters = list?.dataset.filters;
// A stream knows no routes.
let paused = false, streams = list && page.liveMode !== "poll" && !new URLSearchParams(filters).has("route");
let timer, source, asking;
const rhythm = () => Number(stored("tracevault-every")) || Number(page.pollMs);
function say(state) {
  if (mark && mark.dataset.state !== state) mark.textContent = mark.dataset.state = state;
}
async function ask(url) {
  asking = new AbortController();
  const answer = await fetch(url, { signal: asking.signal });
  if (!answer.ok) throw new Error(answer.status);
  return answer;
}
async function swap() {
  const next = await parsed(await ask(location.href));
  if (paused) return;
  // There was nothing yet, and now there is.
  if ($("#empty, .failed") && !$("#empty, .failed", next)) return location.reload();
  const reading = String(getSelection()) !== "";
  for (const old of reading ? [] : all("[data-live]")) {
    const fresh = next.getElementById(old.id);
    old.hidden = !fresh;
    if (!fresh) continue;
    localize(fresh);
    if (fresh.innerHTML === old.innerHTML) continue;
    const focused = old.contains(document.activeElement) && document.activeElement.href;
    const opened = all("details", old).map((one) => one.open);
    all("details", fresh).forEach((one, at) => (one.open = opened[at]));
    const from = $(".scroll", old)?.scrollLeft;
    old.replaceChildren(...fresh.childNodes);
    if (from) $(".scroll", old).scrollLeft = from;
    if (focused) all("a", old).find((link) => link.href === focused)?.focus({ preventScroll: true });
  }
  const data = next.getElementById("chart")?.dataset.chart;
  if (data && data !== chart.dataset.chart && !plots.some((plot) => plot.select.width)) {
    chart.dataset.chart = data;
    draw();
  }
}
async function tick() {
  clearTimeout(timer);
  try {
    await (list ? pull() : swap());
    say("polling");
  } catch (error) {
    if (error.name === "AbortError") return;
    say("reconnecting");
  }
  wait();
}
function wait() {
  clearTimeout(timer);
  if (page.refresh && !paused && !document.hidden) timer = setTimeout(tick, rhythm());
}
function halt() {
  clearTimeout(timer);
  source?.close();
  asking?.abort();
}
function go() {
  if (!page.refresh || paused || document.hidden) return;
  if (streams) listen();
  else tick();
}
function pause(yes) {
  if (!mark) return;
  paused = yes;
  $("#pause").textContent = paused ? "Resume" : "Pause";
  if (paused) halt();
  say(paused ? "paused" : "reconnecting");
  go();
}

// The live list.
const most = 500;
let cursor = Number(list?.dataset.cursor);
let seen = new Set(list?.dataset.ids.trim().split(" ").map(Number));
let waiting = [];
const pill = $("#pill");
function listen() {
  source?.close();
  source = new EventSource(`${page.base}/api/stream?${filters}`);
  const stream = source;
  const missed = () => pull().catch(() => {});
  // Some may have come before it was open.
  stream.onopen = () => { say("live"); missed(); };
  stream.addEventListener("traffic:new-request", (event) => take([JSON.parse(event.data)]));
  stream.addEventListener("traffic:gap", missed);
  stream.onerror = () => {
    // A stream ends twice a minute: that is no news.
    clearTimeout(timer);
    timer = setTimeout(() => stream.readyState !== EventSource.OPEN && say("reconnecting"), 1000);
    if (stream.readyState !== EventSource.CLOSED || stream !== source) return;
    streams = false;
    go();
  };
}
async function pull() {
  const rows = async (after) => (await ask(`${page.base}/api/live?${after}limit=${most}&${filters}`)).json();
  // After long, only what would be kept of it: to look through all of it may even take too long.
  const behind = rows(`after=${cursor}&`).catch((error) => { if (error.name === "AbortError") throw error; });
  let answer = await behind;
  if (!answer || answer.requests.length >= most) answer = await rows("");
  await take(answer.requests);
  cursor = Math.max(cursor, answer.cursor);
}
async function take(rows) {
  const fresh = rows.filter((row) => !seen.has(row.id)).sort((one, other) => one.id - other.id);
  if (!fresh.length || paused) return;
  fresh.forEach((row) => { seen.add(row.id); cursor = Math.max(cursor, row.id); });
  waiting = [...waiting, ...fresh].slice(-most);
  if (scrollY < 120) return flush();
  pill.textContent = `${waiting.length} new`;
  pill.hidden = false;
}
let flushing;
// One at a time: what comes meanwhile is shown with it.
const flush = () => (flushing ??= flushed().finally(() => (flushing = null)));
async function flushed() {
  pill.hidden = true;
  if (!$("tbody", list)) {
    // It was empty: the table comes from the server.
    const next = await parsed(await ask(location.href));
    const there = new Set(next.getElementById("livelist").dataset.ids.trim().split(" ").map(Number));
    $("#live").replaceChildren(...next.getElementById("live").childNodes);
    localize(list);
    there.forEach((id) => seen.add(id));
    waiting = waiting.filter((row) => !there.has(row.id));
  }
  const body = $("tbody", list);
  if (!body) return;
  body.prepend(...waiting.splice(0).reverse().map(shown));
  while (body.rows.length > most) body.lastElementChild.remove();
  if (seen.size > 20_000) seen = new Set([...seen].slice(-10_000));
}
pill?.addEventListener("click", () => { scrollTo(0, 0); flush(); });
addEventListener("scroll", () => { if (waiting.length && scrollY < 60) flush(); }, { passive: true });
const to = (path, given = {}) => {
  const query = String(new URLSearchParams(page.local ? { tz: "local", ...given } : given));
  return `${page.base}${path}${query && "?"}${query}`;
};
function shown(row) {
  const link = (href, kid) => Object.assign(make("a", "", kid), { href });
  const time = make("time", "", moment(new Date(row.createdAt)));
  time.dateTime = row.createdAt;
  const { method, route, userId } = row;
  const status = String(row.statusCode);
  return make(
    "tr", "fresh",
    make("td", "time", link(to(`/requests/${row.id}`), time)),
    make("td", "method", method),
    make("td", "status", link(to(status >= "4" ? "/errors" : "/live", { status }), make("span", `code s${status[0]}`, status))),
    make("td", "path", link(to("/route", { method, route }), row.originalUrl)),
    make("td", "num", duration(row.durationMs), row.isSlow ? make("em", "badge", "slow") : ""),
    userId ? make("td", "who", link(to(`/users/${encodeURIComponent(userId)}`), userId)) : make("td", "none", "anonymous"),
  );
}

// A request, beside the list that it is in.
const side = $("#side");
let opener;
async function open(link) {
  const next = await parsed(await fetch(link.href));
  const close = make("button", "close", "Close");
  close.addEventListener("click", shut);
  side.replaceChildren(close, next.getElementById("request") ?? $(".failed", next));
  localize(side);
  side.hidden = false;
  side.focus();
  opener = link;
}
function shut() {
  if (side.hidden) return;
  side.hidden = true;
  opener?.focus();
}
document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  let link = event.target.closest("a");
  const row = event.target.closest("main tbody tr");
  if (!link && row && String(getSelection()) === "") link = $("a", row);
  const path = link && new URL(link.href, location.href).pathname;
  if (path?.startsWith(`${page.base}/requests/`)) {
    event.preventDefault();
    open(link).catch(() => { location.href = link.href; });
  }
});

// Keys.
const keys = {
  j: () => step(1),
  k: () => step(-1),
  p: () => pause(!paused),
  ...(list && { " ": () => pause(!paused) }),
  t: () => theme.click(),
  "?": () => $("#help").showModal(),
  "/": () => $("main input[type=search]")?.focus(),
  Escape: () => {
    shut();
    $(".drop")?.removeAttribute("open");
    if (document.activeElement?.closest("input, select, textarea")) document.activeElement.blur();
  },
};
function step(by) {
  const rows = all("main tbody tr").filter((row) => row.offsetParent && $("a", row));
  const here = rows.indexOf(document.activeElement?.closest("tr"));
  const row = rows[here < 0 ? 0 : Math.max(0, Math.min(rows.length - 1, here + by))];
  if (row) $("a", row).focus();
}
addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || $("#help").open) return;
  if (event.target.closest("input, select, textarea") && event.key !== "Escape") return;
  // Where it has a meaning of its own.
  if (event.key === " " && event.target.closest("a, button, summary")) return;
  const link = /^[a-z]$/.test(event.key) && $(`.tabs [data-key="${event.key}"]`);
  const key = link ? () => link.click() : keys[event.key];
  if (!key) return;
  if (event.key !== "Escape") event.preventDefault();
  key();
});
$("#keys").addEventListener("click", keys["?"]);

const every = $("#every");
if (mark) {
  every.value = stored("tracevault-every") ?? "";
  every.addEventListener("change", () => { stored("tracevault-every", every.value); wait(); });
  $("#pause").addEventListener("click", () => pause(!paused));
}
document.addEventListener("visibilitychange", () => (document.hidden ? halt() : go()));
paint(root.dataset.theme ?? "auto");
localize(document);
if (streams) listen();
else wait();
