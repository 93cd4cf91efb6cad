// Before the first paint: the theme somebody chose here, else the system's.
document.documentElement.dataset.theme = localStorage.getItem("theme") ?? "auto";
