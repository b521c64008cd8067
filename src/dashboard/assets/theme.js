// Before anything is painted: the theme that was chosen, and that there are scripts.
(() => {
  const root = document.documentElement;
  root.classList.add("scripted");
  try {
    const theme = localStorage.getItem("tracevault-theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch {
    // Storage may be forbidden: then it is the system's theme.
  }
})();
