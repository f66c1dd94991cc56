// Draws the plots of a report in the reader's theme, and in the light one on paper.
const figures = JSON.parse(document.getElementById("figures").textContent);
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const options = { responsive: true, displaylogo: false };

function draw(theme) {
  for (const [id, drawn] of Object.entries(figures)) {
    Plotly.react(id, drawn[theme].data, drawn[theme].layout, options);
  }
}

const drawForScreen = () => draw(dark.matches ? "dark" : "light");
dark.addEventListener("change", drawForScreen);
window.addEventListener("beforeprint", () => draw("light"));
window.addEventListener("afterprint", drawForScreen);
drawForScreen();
