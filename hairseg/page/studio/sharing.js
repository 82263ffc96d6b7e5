/** Download, copy and share the recoloured picture. */
import {encodePicture} from "./canvas.js";
import {addressOf} from "./pictures.js";

/**
 * @param {HTMLElement} element
 * @param {{download: (options: {kind: string, format: string, link: string}) => Promise<{src: string, name: string} | undefined>,
 *   linkOf: () => string, showNotice: (text: string) => void}} studio
 */
export function createSharing(element, {download, linkOf, showNotice}) {
    /** @template {HTMLElement} T @param {string} selector @returns {T} */
    const find = selector => /** @type {T} */ (element.querySelector(selector));
    const recoloured = () => /** @type {HTMLImageElement} */ (find("#recoloured img"));
    /** @param {() => Promise<unknown>} act @param {string} sentence */
    const attempt = (act, sentence) => act().catch(error => error.name === "AbortError" || showNotice(sentence));

    return {
        /** @param {string} kind */
        download: async kind => {
            const button = find(`#${kind}-button`);
            if (button.getAttribute("aria-busy") === "true") return;
            button.setAttribute("aria-busy", "true");
            const format = /** @type {HTMLSelectElement} */ (find(".format")).value;
            const answer = await download({kind, format, link: location.origin + location.pathname});
            button.removeAttribute("aria-busy");
            if (!answer) return;
            const anchor = Object.assign(document.createElement("a"), {
                href: addressOf(answer.src),
                download: answer.name,
            });
            element.append(anchor);
            anchor.click();
            anchor.remove();
        },
        copyPicture: () =>
            attempt(async () => {
                const image = recoloured();
                const png = encodePicture(image, [image.naturalWidth, image.naturalHeight], "image/png");
                // pass a promise: Safari allows no write after an await
                await navigator.clipboard.write([new ClipboardItem({"image/png": png})]);
                find(".said").textContent = "The picture is copied.";
            }, "The browser does not allow copying. Use a download instead."),
        share: () =>
            attempt(async () => {
                const blob = await (await fetch(recoloured().src)).blob();
                const files = [new File([blob], "new-colour.jpg", {type: blob.type})];
                const content = {title: "What is pretraining worth?", url: linkOf()};
                await navigator.share(navigator.canShare?.({files}) ? {...content, files} : content);
            }, "The browser does not allow sharing. Copy the link instead."),
        copyLink: () =>
            attempt(async () => {
                await navigator.clipboard.writeText(linkOf());
                find(".said").textContent = "The link is copied.";
            }, linkOf()),
    };
}
