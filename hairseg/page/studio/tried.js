/** The colours tried in this visit: a strip of swatches, and four colours side by side on one head. */
import {createButton, openDialog} from "./dialog.js";
import {addressOf} from "./pictures.js";
import {presetOf} from "./settings.js";

const STORAGE_KEY = "hairseg-tried"; // in sessionStorage

const MAX_TRIED = 12;

const MAX_COMPARED = 4;

/**
 * @param {HTMLElement} element
 * @param {{presets: Record<string, string>, onChoose: (colour: string) => void,
 *   recolour: (colour: string, dialog: HTMLDialogElement) => Promise<{src?: string} | undefined>}} studio
 */
export function createTriedColours(element, {presets, onChoose, recolour}) {
    /** @type {string[]} */
    const tried = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? "[]");
    /** @param {string} colour */
    const nameOf = colour => presetOf(colour, presets) ?? colour;

    return {
        /** @param {string} colour */
        add: colour => {
            tried.splice(0, MAX_TRIED, ...[colour, ...tried.filter(each => each !== colour)].slice(0, MAX_TRIED));
            sessionStorage.setItem(STORAGE_KEY, JSON.stringify(tried));
            const strip = /** @type {HTMLElement} */ (element.querySelector(".tried"));
            strip.hidden = tried.length < 2;
            strip.replaceChildren(
                "Tried: ",
                ...tried.map(each =>
                    createButton("", () => onChoose(each), {
                        title: nameOf(each),
                        "aria-label": `Back to ${nameOf(each)}`,
                        style: `--swatch: ${each}`,
                    }),
                ),
            );
        },
        /** Open a dialog with the last colours side by side; a click chooses one. @param {number} ratio width by height of the photo */
        compare: ratio => {
            const others = Object.values(presets).filter(colour => !tried.includes(colour));
            const grid = Object.assign(document.createElement("div"), {className: "colours"});
            const dialog = openDialog(element, "Compare colours", [grid]);
            dialog.style.setProperty("--ratio", String(ratio));
            for (const colour of [...tried, ...others].slice(0, MAX_COMPARED)) {
                const button = createButton(nameOf(colour), () => {
                    onChoose(colour);
                    dialog.close();
                });
                grid.append(button);
                recolour(colour, dialog).then(answer => {
                    if (!answer?.src) return;
                    const image = Object.assign(document.createElement("img"), {src: addressOf(answer.src), alt: ""});
                    button.prepend(image);
                });
            }
        },
    };
}
