// The hosts of an undo, a retry or a continuation: select all (three states), and the button that names the consequence.
(() => {
  const listOf = () => document.getElementById("follow-hosts");
  const boxesOf = (list) => [...list.querySelectorAll("input[name=host_id][type=checkbox]")];

  function refresh() {
    const list = listOf();
    if (!list) return;
    const boxes = boxesOf(list);
    const ticked = boxes.filter((box) => box.checked).length;
    const all = list.querySelector("[data-select-all]");
    all.checked = ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
    const count = ticked + list.querySelectorAll("input[name=host_id][type=hidden]").length;
    const output = list.querySelector("output");
    output.textContent = output.dataset.text.replace("{n}", count);
    const { one, many, none } = document.getElementById("follow-submit").dataset;
    const text = count === 0 ? none : count === 1 ? one : many;
    document.getElementById("follow-submit").textContent = text.replace("{n}", count);
  }

  // Before the list hears of it: what it then asks the server about are the boxes as they are after "select all".
  document.addEventListener("change", (event) => {
    if (event.target.form?.id !== "follow") return;
    if (event.target.matches("[data-select-all]")) for (const box of boxesOf(listOf())) box.checked = event.target.checked;
    refresh();
  }, true);
  document.addEventListener("htmx:after:swap", refresh);
  refresh();
})();
