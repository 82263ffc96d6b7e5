/**
 * The labels of one photo, one byte per pixel, with strokes that can be undone; and their drawing on a canvas.
 *
 * @typedef {{left: number, top: number, width: number, height: number, painted: Uint8Array}} Area a window in pixels,
 *   and whether each of its pixels is painted
 * @typedef {{value: number, radius: number, points: [number, number][], area: Area}} Stroke in pixels of the photo
 */

export const HAIR = 255,
    UNLABELLED = 128,
    OTHER = 0;

export const MAX_UNDO = 50;

// Bounding box of no pixels.
const EMPTY_BOX = {left: Number.POSITIVE_INFINITY, top: Number.POSITIVE_INFINITY, right: 0, bottom: 0};

export class Labels {
    /** @type {Stroke[]} */
    strokes = [];
    /** Whether there are changes that have not been saved. */
    isEdited = false;
    /** @type {Stroke | null} the one that is being drawn */
    #stroke = null;
    #box = EMPTY_BOX;

    /** @param {Uint8Array} values row by row @param {number} width @param {number} height */
    constructor(values, width, height) {
        this.values = values;
        this.width = width;
        this.height = height;
        this.base = values.slice(); // without the strokes that can be undone
        this.drawn = new Uint8Array(values.length); // the pixels of the stroke that is being drawn
    }

    /** @param {number} value @param {number} radius in pixels @param {[number, number]} point */
    begin(value, radius, point) {
        this.#stroke = {
            value,
            radius,
            points: [],
            area: {left: 0, top: 0, width: 0, height: 0, painted: new Uint8Array()},
        };
        this.#box = EMPTY_BOX;
        this.extend(point);
    }

    /** @param {[number, number]} point */
    extend(point) {
        const stroke = this.#stroke;
        if (!stroke) return;
        const [x, y] = point,
            [fromX, fromY] = stroke.points.at(-1) ?? point;
        stroke.points.push(point);
        const {radius, value} = stroke,
            left = Math.max(0, Math.floor(Math.min(x, fromX) - radius)),
            top = Math.max(0, Math.floor(Math.min(y, fromY) - radius)),
            right = Math.min(this.width, Math.ceil(Math.max(x, fromX) + radius)),
            bottom = Math.min(this.height, Math.ceil(Math.max(y, fromY) + radius)),
            [dx, dy] = [x - fromX, y - fromY],
            squaredLength = dx * dx + dy * dy || 1;
        for (let row = top; row < bottom; row += 1) {
            for (let column = left; column < right; column += 1) {
                const [px, py] = [column + 0.5 - fromX, row + 0.5 - fromY]; // centre of the pixel
                const along = Math.min(1, Math.max(0, (px * dx + py * dy) / squaredLength));
                if ((px - along * dx) ** 2 + (py - along * dy) ** 2 > radius * radius) continue;
                const at = row * this.width + column;
                this.drawn[at] = 1;
                this.values[at] = value;
            }
        }
        this.#box = {
            left: Math.min(this.#box.left, left),
            top: Math.min(this.#box.top, top),
            right: Math.max(this.#box.right, right),
            bottom: Math.max(this.#box.bottom, bottom),
        };
    }

    /** @returns {Stroke | null} the stroke, which can now be undone */
    finish() {
        const stroke = this.#stroke,
            {left, top, right, bottom} = this.#box;
        this.#stroke = null;
        if (!stroke || left >= right || top >= bottom) return null;
        const [width, height] = [right - left, bottom - top];
        stroke.area = {left, top, width, height, painted: new Uint8Array(width * height)};
        for (let row = 0; row < height; row += 1) {
            const start = (top + row) * this.width + left;
            stroke.area.painted.set(this.drawn.subarray(start, start + width), row * width);
            this.drawn.fill(0, start, start + width);
        }
        this.strokes.push(stroke);
        if (this.strokes.length > MAX_UNDO) {
            const {area, value} = /** @type {Stroke} */ (this.strokes.shift());
            this.#fill(this.base, area, value);
        }
        this.isEdited = true;
        return stroke;
    }

    /** Replace the pixels of a stroke, unless it can no longer be undone. @param {Stroke} stroke @param {Area} area */
    replace(stroke, area) {
        if (!this.strokes.includes(stroke)) return;
        const {area: previous} = stroke;
        stroke.area = area;
        this.#repaint(previous);
    }

    undo() {
        const stroke = this.strokes.pop();
        if (!stroke) return;
        this.isEdited = true;
        this.#repaint(stroke.area);
    }

    /** Reset a window to `base` and paint all strokes again. @param {Area} area */
    #repaint({left, top, width, height}) {
        for (let row = top; row < top + height; row += 1) {
            const start = row * this.width + left;
            this.values.set(this.base.subarray(start, start + width), start);
        }
        for (const {area, value} of this.strokes) this.#fill(this.values, area, value);
    }

    /** @param {Uint8Array} values @param {Area} area @param {number} value */
    #fill(values, {left, top, width, height, painted}, value) {
        for (let row = 0; row < height; row += 1) {
            const start = (top + row) * this.width + left;
            for (let column = 0; column < width; column += 1) {
                if (painted[row * width + column]) values[start + column] = value;
            }
        }
    }
}

/**
 * Unpack the answer of `snap_stroke`.
 *
 * @param {{window: [number, number, number, number], bits: string}} answer bits: base64 of packed bits, the highest of a byte first
 * @returns {Area}
 */
export function readArea({window: [left, top, width, height], bits}) {
    const bytes = Uint8Array.from(atob(bits), letter => letter.charCodeAt(0));
    const painted = Uint8Array.from({length: width * height}, (_, at) => (bytes[at >> 3] >> (7 - (at & 7))) & 1);
    return {left, top, width, height, painted};
}

// ABGR
const HAIR_FILL = 0x50ff40ff,
    HAIR_OUTLINE = 0xffff5fff,
    UNLABELLED_FILL = 0x40000000,
    UNLABELLED_STRIPE = 0xa0d0d0d0;

/**
 * Draw the visible window of the labels.
 *
 * @param {Uint32Array} pixels ABGR of the canvas, row by row
 * @param {number} width of the canvas
 * @param {number} height
 * @param {Labels} labels
 * @param {import("../page/studio/zoom.js").View} view
 */
export function drawLabels(pixels, width, height, labels, {scale, x, y}) {
    const columns = Uint32Array.from({length: width}, (_, at) =>
        Math.min(labels.width - 1, Math.floor((x + (at + 0.5) / width / scale) * labels.width)),
    );
    let above = new Uint8Array(width),
        current = new Uint8Array(width);
    for (let row = 0, at = 0; row < height; row += 1) {
        const start =
            Math.min(labels.height - 1, Math.floor((y + (row + 0.5) / height / scale) * labels.height)) * labels.width;
        for (let column = 0; column < width; column += 1, at += 1) {
            const value = labels.values[start + columns[column]];
            current[column] = value;
            const isOutline =
                (row && (value === HAIR) !== (above[column] === HAIR)) ||
                (column && (value === HAIR) !== (current[column - 1] === HAIR));
            if (isOutline) pixels[at] = HAIR_OUTLINE;
            else if (value === HAIR) pixels[at] = HAIR_FILL;
            else if (value === UNLABELLED) pixels[at] = (row + column) % 10 < 8 ? UNLABELLED_FILL : UNLABELLED_STRIPE;
            else pixels[at] = 0;
        }
        [above, current] = [current, above];
    }
}
