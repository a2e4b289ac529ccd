// Copy what a button names. Over plain HTTP a browser has no clipboard for pages, so the old way is there too.
(() => {
  async function copy(text) {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const area = Object.assign(document.createElement("textarea"), { value: text, className: "vh" });
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("not copied");
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    const { copy: text, copied, failed } = button.dataset;
    let words = copied;
    try {
      await copy(text.startsWith("/") ? new URL(text, location.href).href : text);
    } catch {
      words = failed;
    }
    button.focus();
    button.dataset.told = words;
    document.getElementById("announce").textContent = words;
    setTimeout(() => delete button.dataset.told, 2000);
  });
})();
