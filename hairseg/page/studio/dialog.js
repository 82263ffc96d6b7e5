/** Buttons, swatches, a countdown, and a modal dialog that the browser's Back button closes, too. */

/**
 * @param {string} text
 * @param {() => void} onClick
 * @param {Record<string, string>} [attributes]
 */
export function createButton(text, onClick, attributes = {}) {
    const button = Object.assign(document.createElement("button"), {type: "button", textContent: text});
    for (const [name, value] of Object.entries(attributes)) button.setAttribute(name, value);
    button.addEventListener("click", onClick);
    return button;
}

/** Mark the swatch of a preset. @param {HTMLElement} element @param {string} [preset] */
export function markSwatch(element, preset) {
    for (const swatch of /** @type {NodeListOf<HTMLElement>} */ (element.querySelectorAll(".swatch"))) {
        swatch.setAttribute("aria-pressed", String(swatch.dataset.preset === preset));
    }
}

/**
 * Show three seconds on a button, then act, if it is wanted by then.
 *
 * @param {HTMLElement} button
 * @param {{isWanted: () => boolean, act: () => void}} options
 */
export function countDown(button, {isWanted, act}) {
    if (button.getAttribute("aria-busy") === "true") return;
    const {textContent} = button;
    button.setAttribute("aria-busy", "true");
    /** @param {number} left */
    const tick = left => {
        if (left && isWanted()) {
            button.textContent = String(left);
            setTimeout(() => tick(left - 1), 1000);
            return;
        }
        button.textContent = textContent;
        button.removeAttribute("aria-busy");
        if (isWanted()) act();
    };
    tick(3);
}

/**
 * @param {HTMLElement} parent
 * @param {string} title
 * @param {HTMLElement[]} content
 * @param {() => void} [onClose]
 */
export function openDialog(parent, title, content, onClose = () => {}) {
    const dialog = document.createElement("dialog");
    dialog.className = "studio-dialog";
    dialog.setAttribute("aria-label", title);
    const bar = document.createElement("div");
    bar.className = "bar";
    bar.append(createButton("Close", () => dialog.close()));
    dialog.append(...content, bar);
    dialog.addEventListener("click", event => event.target === dialog && dialog.close());
    const back = () => dialog.close();
    dialog.addEventListener("close", () => {
        window.removeEventListener("popstate", back);
        if (history.state?.isDialog) history.back();
        onClose();
        dialog.remove();
    });
    parent.append(dialog);
    history.pushState({...history.state, isDialog: true}, "");
    window.addEventListener("popstate", back, {once: true});
    dialog.showModal();
    return dialog;
}
