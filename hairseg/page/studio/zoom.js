/**
 * The window of the photo that all pictures show: its left and top as fractions of the photo, and the magnification.
 * A window has the photo's aspect ratio, so that it fits every frame.
 *
 * @typedef {{scale: number, x: number, y: number}} View
 */

export const MAX_SCALE = 16;

/** @type {View} */
export const WHOLE = Object.freeze({scale: 1, x: 0, y: 0});

/** @param {number} value @param {number} low @param {number} high */
export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** @param {View} view @returns {View} */
export function clampView({scale, x, y}) {
    const bounded = clamp(scale, 1, MAX_SCALE),
        most = 1 - 1 / bounded;
    return {scale: bounded, x: clamp(x, 0, most), y: clamp(y, 0, most)};
}

/**
 * @param {View} view
 * @param {number} factor
 * @param {[number, number]} at point of the frame that stays where it is, as fractions of the frame
 */
export function zoomBy(view, factor, [u, v] = [0.5, 0.5]) {
    const scale = clamp(view.scale * factor, 1, MAX_SCALE);
    return clampView({scale, x: view.x + u / view.scale - u / scale, y: view.y + v / view.scale - v / scale});
}

/** @param {View} view @param {number} dx fraction of the frame @param {number} dy */
export function panBy(view, dx, dy) {
    return clampView({...view, x: view.x - dx / view.scale, y: view.y - dy / view.scale});
}

/** @param {number[] | null} box left, top, right and bottom as fractions @returns {View} */
export function viewOf(box) {
    if (!box) return WHOLE;
    const [left, top, right, bottom] = box;
    return clampView({scale: 1 / Math.max(right - left, bottom - top), x: left, y: top});
}

/** @param {View} view @returns {[number, number, number, number]} left, top, right and bottom as fractions */
export function windowOf({scale, x, y}) {
    return [x, y, Math.min(1, x + 1 / scale), Math.min(1, y + 1 / scale)];
}
