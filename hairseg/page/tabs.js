/** The address names the open tab, and the browser's Back button goes through the tabs. */

/** @returns {HTMLElement[]} */
const tabs = () => [...document.querySelectorAll("#tabs [role=tab]")].map(tab => /** @type {HTMLElement} */ (tab));

/** @param {HTMLElement} tab */
const nameOf = tab => (tab.textContent ?? "").trim().toLowerCase().replaceAll(" ", "-").replace("?", "");

const wanted = () => new URLSearchParams(location.search).get("tab");

const show = () => {
    const name = wanted(),
        tab = tabs().find((each, index) => (name ? nameOf(each) === name : index === 0));
    if (tab && tab.getAttribute("aria-selected") !== "true") tab.click();
    tab?.scrollIntoView({block: "nearest", inline: "nearest"});
};

document.addEventListener("click", event => {
    const tab = /** @type {HTMLElement} */ (event.target).closest("#tabs [role=tab]");
    if (!tab) return;
    const address = new URL(location.href),
        name = nameOf(/** @type {HTMLElement} */ (tab));
    if (name === (wanted() ?? (tabs()[0] && nameOf(tabs()[0])))) return;
    if (tabs()[0] && name === nameOf(tabs()[0])) address.searchParams.delete("tab");
    else address.searchParams.set("tab", name);
    history.pushState({}, "", address);
});
window.addEventListener("popstate", show);

const observer = new MutationObserver(() => {
    if (!tabs().length) return;
    observer.disconnect();
    show();
});
observer.observe(document.documentElement, {childList: true, subtree: true});
