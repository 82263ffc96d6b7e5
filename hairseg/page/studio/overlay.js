/** Both masks over the photo, drawn in the browser. */

// Orange and blue differ without colour vision too: Okabe and Ito, "Color Universal Design" (2008).
export const ORANGE = [230, 120, 0],
    BLUE = [0, 114, 178],
    GREY = [128, 128, 128];

const PERIOD = 12; // pixels from one stripe to the next

/**
 * Colour one pixel.
 *
 * @param {"difference" | "wipe"} view
 * @param {boolean} random whether the network from scratch calls it hair
 * @param {boolean} pretrained
 * @param {boolean} isLeft of the wipe's edge
 * @returns {number[] | null} red, green and blue
 */
export function colourOf(view, random, pretrained, isLeft) {
    if (view === "wipe") return isLeft ? (random ? ORANGE : null) : pretrained ? BLUE : null;
    if (random && pretrained) return GREY;
    if (random) return ORANGE;
    return pretrained ? BLUE : null;
}

/**
 * @param {Uint8ClampedArray} pixels RGBA of the photo, changed in place
 * @param {Uint8ClampedArray} random RGBA of the mask
 * @param {Uint8ClampedArray} pretrained
 * @param {{width: number, view: "difference" | "wipe", cut: number}} options cut: the wipe's edge as a fraction of the width
 */
export function paint(pixels, random, pretrained, {width, view, cut}) {
    for (let index = 0, at = 0; at < pixels.length; index += 1, at += 4) {
        const column = index % width,
            row = (index - column) / width;
        const colour = colourOf(view, random[at] >= 128, pretrained[at] >= 128, column < cut * width);
        const grey = 0.3 * pixels[at] + 0.59 * pixels[at + 1] + 0.11 * pixels[at + 2];
        for (let channel = 0; channel < 3; channel += 1) {
            if (!colour) {
                pixels[at + channel] = view === "wipe" ? pixels[at + channel] : 0.5 * grey + 0.5 * pixels[at + channel];
                continue;
            }
            const along = colour === ORANGE ? column + row : column - row; // stripes lean left or right
            const isStripe = colour !== GREY && ((along % PERIOD) + PERIOD) % PERIOD < 4;
            pixels[at + channel] = isStripe
                ? 0.25 * grey + 0.75 * colour[channel] * 0.5
                : 0.35 * grey + 0.65 * colour[channel];
        }
    }
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {{photo: HTMLImageElement, random: HTMLImageElement, pretrained: HTMLImageElement}} images
 * @param {"difference" | "wipe"} view
 * @param {number} cut
 */
function drawOverlay(canvas, images, view, cut) {
    const width = images.random.naturalWidth,
        height = images.random.naturalHeight;
    if (!width || !images.photo.naturalWidth || !images.pretrained.naturalWidth) return;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", {willReadFrequently: true}));
    /** @param {HTMLImageElement} image */
    const read = image => {
        context.drawImage(image, 0, 0, width, height);
        return context.getImageData(0, 0, width, height);
    };
    const random = read(images.random).data,
        pretrained = read(images.pretrained).data,
        photo = read(images.photo);
    paint(photo.data, random, pretrained, {width, view, cut});
    context.putImageData(photo, 0, 0);
}

/**
 * Show the masks side by side, or both over the photo, as chosen by the radio buttons "view".
 *
 * @param {HTMLElement} element
 * @param {{result: () => {agreement: number} | null, view: () => import("./zoom.js").View}} studio
 */
export function createOverlay(element, {result, view}) {
    /** @template {HTMLElement} T @param {string} selector @returns {T} */
    const find = selector => /** @type {T} */ (element.querySelector(selector));
    const wipe = /** @type {HTMLInputElement} */ (find(".wipe"));
    /** @type {"row" | "difference" | "wipe"} */
    let mode = "row";

    const refresh = () => {
        find(".row").hidden = mode !== "row";
        find("#overlay").hidden = mode === "row";
        if (mode === "row") return;
        wipe.hidden = mode !== "wipe";
        const canvas = /** @type {HTMLCanvasElement} */ (find("#overlay canvas"));
        const [random, photo, pretrained] = ["#random-mask", "#photo", "#pretrained-mask"].map(name =>
            find(`${name} .pan`).querySelector("img"),
        );
        const found = result();
        canvas.classList.toggle("is-drawn", Boolean(found && random && photo && pretrained));
        if (!found || !random || !photo || !pretrained) return;
        const {x, scale} = view();
        drawOverlay(canvas, {random, photo, pretrained}, mode, x + Number(wipe.value) / 100 / scale);
        const agreement = `${(100 * found.agreement).toFixed(found.agreement < 0.1 ? 1 : 0)} %`;
        const legend =
            mode === "wipe"
                ? {random: "left: from scratch", pretrained: "right: pretrained"}
                : {
                      random: "only from scratch",
                      pretrained: "only pretrained",
                      both: `both agree (${agreement} here)`,
                  };
        find(".legend").replaceChildren(
            ...Object.entries(legend).map(([name, text]) =>
                Object.assign(document.createElement("span"), {className: `key ${name}`, textContent: text}),
            ),
        );
    };
    wipe.addEventListener("input", () => requestAnimationFrame(refresh));
    for (const choice of /** @type {NodeListOf<HTMLInputElement>} */ (element.querySelectorAll("[name=view]"))) {
        choice.addEventListener("change", () => {
            mode = /** @type {typeof mode} */ (choice.value);
            refresh();
        });
    }
    return {refresh};
}
