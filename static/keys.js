// The keyboard: single keys lead around while nothing is being typed; "?" says which.
(() => {
  const KEPT = "single-keys";
  const keys = document.getElementById("keys");
  const box = document.getElementById("single-keys");
  const PLACES = { s: "/services", r: "/rollouts", h: "/hosts" };
  let led = 0; // when "g" was pressed

  const isTyping = (element) => element.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
  const isOn = () => localStorage.getItem(KEPT) !== "off";
  const press = (id) => document.getElementById(id)?.click();

  box.checked = isOn();
  box.addEventListener("change", () => localStorage.setItem(KEPT, box.checked ? "on" : "off"));
  document.getElementById("show-keys").addEventListener("click", () => keys.showModal());
  keys.querySelector("[data-close-keys]").addEventListener("click", () => keys.close());

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      const button = event.target.closest("dialog form")?.querySelector("button[type=submit]:not(:disabled)");
      if (button && button.getAttribute("aria-disabled") !== "true") button.form.requestSubmit(button);
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]") || !isOn()) return;
    if (Date.now() - led < 1500 && PLACES[event.key]) location.assign(PLACES[event.key]);
    else if (event.key === "?") keys.showModal();
    else if (event.key === "u") press("upgrade");
    else if (event.key === "r") press("revert");
    else if (event.key === "/") document.querySelector("main input[type=search]")?.focus();
    else {
      led = event.key === "g" ? Date.now() : 0;
      return;
    }
    led = 0;
    event.preventDefault();
  });
})();
