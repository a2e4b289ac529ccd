// What keeps a page true while it stands open: relative times, the connection's state, what went wrong.
(() => {
  const words = JSON.parse(document.body.dataset.words);
  const say = (key, n, more) => words[key].replace("{n}", n).replace("{m}", more);

  function ago(seconds) {
    if (seconds < 10) return words.now;
    if (seconds < 60) return say("s", Math.floor(seconds));
    if (seconds < 3600) return say("min", Math.floor(seconds / 60));
    if (seconds < 86400) return say("h", Math.floor(seconds / 3600));
    return say("d", Math.floor(seconds / 86400));
  }

  function lasted(seconds) {
    if (seconds < 60) return say("for_s", Math.floor(seconds));
    if (seconds < 3600) return say("for_min", Math.floor(seconds / 60), Math.floor(seconds % 60));
    return say("for_h", Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60));
  }

  function tick(selector, text) {
    for (const time of document.querySelectorAll(selector)) {
      const now = text(Math.max(0, (Date.now() - Date.parse(time.dateTime)) / 1000));
      if (time.textContent !== now) time.textContent = now;
    }
  }
  const tickRunning = () => tick("time[data-running]", lasted);
  const tickAgo = () => tick("time[data-ago]", ago);
  setInterval(tickRunning, 1000);
  setInterval(tickAgo, 10000);

  const connection = document.getElementById("conn");
  const signedOut = document.getElementById("signed-out");
  const flash = document.getElementById("flash");
  const isPoll = (event) => event.detail.ctx?.sourceElement?.id === "poller";

  function connected(yes) {
    if (!connection) return;
    const text = yes ? connection.dataset.live : connection.dataset.lost;
    connection.dataset.state = yes ? "live" : "lost";
    if (connection.textContent !== text) connection.textContent = text;
  }

  function tell(text) {
    flash.querySelector("span").textContent = text;
    flash.hidden = false;
    if (!flash.matches(":popover-open")) flash.showPopover(); // above an open dialog
  }

  // Some reads are posts, because what they ask for is too long for an address.
  const reads = (ctx) => ctx?.request?.method === "GET" || ctx?.sourceElement?.hasAttribute("data-reads");

  function poll() {
    const poller = document.getElementById("poller");
    if (poller) htmx.trigger(poller, "every");
  }

  // Nobody looks at a hidden tab; when somebody does again, catch up at once. After the reader has done something the
  // server is to look anew: what it tells otherwise may be half a second old.
  document.addEventListener("htmx:config:request", (event) => {
    if (!isPoll(event)) return;
    if (event.detail.ctx.sourceEvent.type !== "every") event.detail.ctx.request.body.set("fresh", "1");
    else if (document.hidden) event.preventDefault();
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
  window.addEventListener("online", poll);
  window.addEventListener("offline", () => { if (document.getElementById("poller")) connected(false); });

  // A poll that is under way asks for what was shown before: the list before a filter, the log before another one. It
  // must not bring that back into what is swapped in now.
  document.addEventListener("htmx:before:swap", (event) => {
    const poller = document.getElementById("poller");
    const isChoice = event.detail.ctx.sourceElement?.matches?.("form[data-filter], a[id^=log-of-]");
    if (poller && isChoice) htmx.trigger(poller, "htmx:abort");
  });

  // What is rendered once for everybody tells times as they were then.
  document.addEventListener("htmx:after:swap", () => {
    tickRunning();
    tickAgo();
  });

  document.addEventListener("htmx:after:request", (event) => {
    const status = event.detail.ctx.response.status;
    signedOut.hidden = status !== 401;
    if (connection) connection.hidden = status === 401;
    if (isPoll(event)) connected(status < 500);
    if (status < 400 && flash.matches(":popover-open")) flash.hidePopover();
  });
  document.addEventListener("htmx:response:error", (event) => {
    const status = event.detail.ctx.response.status;
    // A form that shows its refusals says for which statuses it is swapped.
    if (isPoll(event) || status === 401 || event.detail.ctx.sourceElement?.hasAttribute(`hx-status:${status}`)) return;
    const token = event.detail.ctx.response.headers.get("X-Fresh-Token");
    for (const field of token ? document.querySelectorAll("input[name=csrf_token]") : []) field.value = token;
    tell(token ? flash.dataset.again : flash.dataset.refused.replace("{status}", status));
  });
  document.addEventListener("htmx:error", (event) => {
    if (isPoll(event)) connected(false);
    else tell(reads(event.detail.ctx) ? flash.dataset.unread : flash.dataset.unreachable);
  });
})();
