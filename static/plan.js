// The plan beside the choices: what changes them makes it stale, and while it is stale nothing can be sent.
(() => {
  const BESIDES = ["plan", "reason", "csrf_token", "crosses"]; // fields that the plan does not depend on
  let form = null;
  let shown = null; // the choices that the plan on the page is for
  let wanted = null; // those that a new one has been asked for

  const choicesOf = () => new URLSearchParams([...new FormData(form)].filter(([name]) => !BESIDES.includes(name))).toString();
  const isStale = () => choicesOf() !== shown;

  function compare() {
    const region = document.getElementById("rollout-plan");
    const stale = isStale();
    region.setAttribute("aria-busy", stale);
    // Not `disabled`: who tabs on from a tick box would jump over the button.
    form.querySelector("button[type=submit]").setAttribute("aria-disabled", stale);
    if (!stale) wanted = null;
    else if (choicesOf() !== wanted) {
      wanted = choicesOf();
      htmx.trigger(region, "stale");
    }
  }

  // The form's plan is for `choices`; null asks for another one.
  function settle(choices) {
    shown = choices;
    wanted = null;
    compare();
  }

  for (const kind of ["input", "change"]) {
    document.addEventListener(kind, (event) => {
      if (event.target.form?.id !== "rollout") return;
      event.target.removeAttribute("aria-invalid");
      compare();
    });
  }

  document.addEventListener("submit", (event) => {
    if (event.target !== form || !isStale()) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);

  document.addEventListener("htmx:config:request", (event) => {
    const { ctx } = event.detail;
    if (["rollout", "rollout-plan"].includes(ctx.sourceElement.id)) ctx.choices = choicesOf();
  });

  document.addEventListener("htmx:after:swap", (event) => {
    const { ctx } = event.detail;
    const found = document.getElementById("rollout");
    const isNew = found !== form;
    form = found;
    if (!form) return;
    if (ctx.choices !== undefined) settle(ctx.choices);
    else if (isNew) settle(choicesOf());
    else if (ctx.target.id === "rollout-hosts") settle(null); // the list is of now, so the plan has to be
    else compare();
  });

  // No plan came: without a token the server shows it before anything starts.
  for (const kind of ["htmx:error", "htmx:response:error"]) {
    document.addEventListener(kind, (event) => {
      if (!form?.isConnected || event.detail.ctx?.sourceElement?.id !== "rollout-plan") return;
      form.elements.plan?.remove();
      wanted = null;
      if (navigator.onLine) settle(choicesOf());
    });
  }
  window.addEventListener("online", () => { if (form?.isConnected) compare(); });

  form = document.getElementById("rollout");
  if (form) shown = choicesOf();
})();
