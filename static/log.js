// The log of a rollout: follow its end, hold it still, search it. The log is swapped as it grows; what is wanted of it stays.
(() => {
  const follow = document.getElementById("log-follow");
  const search = document.getElementById("log-search");
  if (!search) return;
  let held = null; // the lines as they were when following ended, and which log they are of
  let latest = null;

  const log = () => document.querySelector("#step-log pre.log");
  const which = () => document.getElementById("shown-step")?.value;
  const isHolding = () => follow && !follow.checked;

  function filter() {
    const wanted = search.value.trim().toLowerCase();
    const lines = [...(log()?.children ?? [])];
    let found = 0;
    for (const line of lines) {
      line.hidden = wanted !== "" && !line.textContent.toLowerCase().includes(wanted);
      if (!line.hidden) found += 1;
    }
    const told = document.getElementById("log-found");
    told.textContent = wanted ? told.dataset.text.replace("{n}", found).replace("{all}", lines.length) : "";
  }

  function clocks() {
    for (const time of document.querySelectorAll("time[data-clock]")) time.textContent = new Date(time.dateTime).toLocaleTimeString("en-GB");
  }

  // Which log is shown stands in the address and at the link that leads to it; rows that are swapped have to be told anew.
  function markChosen(source) {
    const shown = document.getElementById("shown-step");
    if (!shown) return;
    const id = shown.name === "log" ? "log-of-all" : `log-of-${shown.value}`;
    for (const link of document.querySelectorAll("a[id^=log-of-]")) {
      if (link.id === id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    if (!source?.id?.startsWith("log-of-")) return;
    const address = new URL(location.href);
    for (const name of ["step", "log"]) address.searchParams.delete(name);
    address.searchParams.set(shown.name, shown.value);
    history.replaceState(history.state, "", address);
  }

  // Of a host that is done no more lines come; who holds its log still can let it go to its end.
  function endFollowing() {
    if (!follow) return;
    const isOver = document.getElementById("shown-step")?.hasAttribute("data-ended") || !document.querySelector("#poller[hx-get]");
    follow.closest("label").hidden = isOver && !(isHolding() && latest && held?.of === which());
  }

  function toEnd() {
    const shown = log();
    if (shown && follow?.checked) shown.scrollTop = shown.scrollHeight;
  }

  function hold() {
    held = { of: which(), lines: [...(log()?.children ?? [])], top: log()?.scrollTop ?? 0 };
    latest = null;
  }

  function settle() {
    const shown = log();
    if (shown && isHolding()) {
      if (held?.of === which()) {
        if (held.lines[0] !== shown.firstElementChild) {
          latest = [...shown.children];
          shown.replaceChildren(...held.lines);
        }
        shown.scrollTop = held.top;
        // Only so many lines are kept: those that were held may have gone by now.
        const last = held.lines.at(-1)?.textContent;
        const more = latest ? latest.length - 1 - latest.findLastIndex((line) => line.textContent === last) : 0;
        document.getElementById("log-new").textContent = more ? follow.dataset.new.replace("{n}", more) : "";
      } else hold();
    }
    clocks();
    filter();
    toEnd();
    endFollowing();
  }

  follow?.addEventListener("change", () => {
    if (follow.checked) {
      if (latest && held?.of === which()) log()?.replaceChildren(...latest);
      held = latest = null;
      document.getElementById("log-new").textContent = "";
      settle();
    } else hold();
  });
  // Who scrolls back wants to read; who comes to the end again wants to see what comes.
  document.addEventListener("scroll", (event) => {
    const shown = log();
    if (!follow || event.target !== shown) return;
    const atEnd = shown.scrollHeight - shown.scrollTop - shown.clientHeight < 30;
    if (held) held.top = shown.scrollTop;
    if (atEnd !== follow.checked && !latest) follow.click();
  }, true);
  search.addEventListener("input", filter);
  document.addEventListener("htmx:after:swap", (event) => {
    markChosen(event.detail.ctx.sourceElement);
    settle();
  });
  markChosen();
  settle();
})();
