// What the page is about, told outside of it: the tab's title and icon, a voice for who does not see it, a notification.
(() => {
  const KEPT = "notify";
  const announce = document.getElementById("announce");
  const icon = document.querySelector("link[rel=icon]");
  let said = null;
  let wasMoving = false;

  const canNotify = () => "Notification" in window && window.isSecureContext;
  const wants = () => canNotify() && Notification.permission === "granted" && localStorage.getItem(KEPT) === "on";

  function tell() {
    const state = document.getElementById("page-state");
    if (!state) return;
    const { title, icon: href, say, moving, by } = state.dataset;
    if (document.title !== title) document.title = title;
    if (icon.getAttribute("href") !== href) icon.href = href;
    if (said !== null && said !== say) announce.textContent = say;
    if (wasMoving && moving === "0" && by === document.body.dataset.me && wants()) new Notification(say, { icon: href, tag: location.pathname });
    said = say;
    wasMoving = moving === "1";
    showChoice();
  }

  function showChoice() {
    const button = document.getElementById("notify");
    if (!button) return;
    const isMine = document.getElementById("page-state").dataset.by === document.body.dataset.me;
    button.hidden = !isMine || !canNotify() || Notification.permission === "denied";
    button.setAttribute("aria-pressed", wants());
  }

  document.addEventListener("click", async (event) => {
    if (!event.target.closest("#notify")) return;
    const turnOn = !wants();
    if (turnOn && Notification.permission !== "granted") await Notification.requestPermission();
    localStorage.setItem(KEPT, turnOn ? "on" : "off");
    showChoice();
  });
  // The browser knows of a lost network before any request fails.
  const offline = document.getElementById("offline");
  const connected = () => { offline.hidden = navigator.onLine; };
  for (const kind of ["online", "offline"]) addEventListener(kind, connected);
  connected();

  document.addEventListener("htmx:after:swap", tell);
  tell();

  // The exact moment in the viewer's own zone; the server can only say it in UTC.
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const exact = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "long" });
  document.getElementById("zone").textContent = timeZone;
  for (const kind of ["pointerover", "focusin"]) {
    document.addEventListener(kind, (event) => {
      const time = event.target.closest?.("time[datetime]") ?? event.target.querySelector?.(":scope > time[datetime]");
      if (time) time.title = exact.format(new Date(time.dateTime));
    });
  }
})();
