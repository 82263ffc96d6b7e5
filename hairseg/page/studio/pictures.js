/** Pictures that the server made, or that the visitor uploads. */

const RETRY_MS = 1000; // times the number of the retry

/** The address of Gradio's API. */
export function apiAddress() {
    const {root = "", api_prefix: prefix = "/gradio_api"} = /** @type {any} */ (window).gradio_config ?? {};
    return `${root}${prefix}`;
}

/** @param {string} path of a file on the server */
export function addressOf(path) {
    return `${apiAddress()}/file=${path.split("/").map(encodeURIComponent).join("/")}`;
}

/**
 * Resolve once an upload is loaded. `decode()` would decode the full image and compete with the server for the processor.
 *
 * @param {HTMLImageElement} image
 */
const loaded = image =>
    new Promise((resolve, reject) => {
        if (image.complete && image.naturalWidth) return resolve(null);
        image.onload = resolve;
        image.onerror = reject;
    });

/**
 * Show `src` in `place`, or remove the picture if it is null. Resolves to false if there is none or another one replaced it.
 *
 * @param {HTMLElement} place @param {string | null} src @param {string} [alt]
 */
export async function showPictureIn(place, src, alt = "") {
    const existing = place.querySelector("img");
    if (!src) {
        existing?.remove();
        return false;
    }
    const current = existing ?? document.createElement("img");
    if (!existing) place.append(current);
    current.alt = alt;
    current.dataset.src = src;
    for (let attempt = 0; current.isConnected && current.dataset.src === src; attempt += 1) {
        if (attempt) await new Promise(resolve => setTimeout(resolve, RETRY_MS * attempt));
        if (attempt || current.getAttribute("src") !== src) current.src = src;
        try {
            if (src.startsWith("blob:")) await loaded(current);
            else await current.decode();
            break;
        } catch {
            if (src.startsWith("blob:") || current.naturalWidth) break; // a format that browsers cannot show, such as HEIC
        }
    }
    return current.isConnected && current.dataset.src === src;
}
