/** The address names the open tab, and the browser's Back button goes through the tabs. */

const FIRST = "try";

const wanted = () => new URLSearchParams(location.search).get("tab") ?? FIRST;

/** @returns {HTMLElement | null} */
const wantedTab = () => document.querySelector(`#tabs [role=tab][data-tab-id="${CSS.escape(wanted())}"]`);

const show = () => {
    const tab = wantedTab();
    if (tab?.getAttribute("aria-selected") === "false") tab.click();
    tab?.scrollIntoView({block: "nearest", inline: "nearest"});
};

document.addEventListener("click", event => {
    const tab = /** @type {HTMLElement | null} */ (
        /** @type {HTMLElement} */ (event.target).closest("#tabs [role=tab]")
    );
    const name = tab?.dataset.tabId;
    if (!name || name === wanted()) return;
    const address = new URL(location.href);
    if (name === FIRST) address.searchParams.delete("tab");
    else address.searchParams.set("tab", name);
    history.pushState({}, "", address);
});
window.addEventListener("popstate", show);

const observer = new MutationObserver(() => {
    if (!document.querySelector("#tabs [role=tab]")) return;
    observer.disconnect();
    show();
});
observer.observe(document.documentElement, {childList: true, subtree: true});
