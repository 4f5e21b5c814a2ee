// Shows the page anew every few seconds, in place, so that neither the reader's place nor the focus is
// lost. Without this script the page is whole, and is loaded again by hand.
"use strict";

(() => {
  const STEP = 5000;
  const pause = document.getElementById("pause");
  const state = document.getElementById("state");
  let timer = 0;

  // What stands in `next` is put in the place of `now`; what has the focus gets it back.
  const replace = (now, next) => {
    if (now.innerHTML === next.innerHTML) return;
    const focused = document.activeElement;
    const href = now.contains(focused) ? focused.getAttribute("href") : null;
    now.replaceChildren(...next.childNodes);
    if (href !== null) {
      const again = [...now.querySelectorAll("a")].find((link) => link.getAttribute("href") === href);
      if (again) again.focus({ preventScroll: true });
    }
  };

  const refresh = async () => {
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const id of ["content", "state", "time"]) {
        replace(document.getElementById(id), page.getElementById(id));
      }
    } catch {
      state.textContent = "The edge does not answer.";
    }
  };

  const run = (on) => {
    clearInterval(timer);
    timer = on ? setInterval(refresh, STEP) : 0;
    pause.textContent = on ? "Pause" : "Go on";
  };

  document.getElementById("by-hand").hidden = true;
  pause.hidden = false;
  pause.addEventListener("click", () => run(timer === 0));
  run(true);
})();
