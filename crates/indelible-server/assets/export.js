// The export page: with script the download begins by itself, once.
const link = document.querySelector("[data-download]");
const key = `export ${link?.getAttribute("href")}`;
if (link && !sessionStorage.getItem(key)) {
  sessionStorage.setItem(key, "begun");
  link.click();
}
