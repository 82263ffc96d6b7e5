/** A modal dialog that the browser's Back button closes, too. */

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
    const close = Object.assign(document.createElement("button"), {type: "button", textContent: "Close"});
    close.addEventListener("click", () => dialog.close());
    bar.append(close);
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
