/** Drawing on a canvas, and pictures as files. */

/**
 * @param {HTMLImageElement | HTMLVideoElement} source
 * @param {[number, number]} size width and height
 * @param {string} type of the file
 * @returns {Promise<Blob>}
 */
export function encodePicture(source, [width, height], type) {
    const canvas = Object.assign(document.createElement("canvas"), {width, height});
    canvas.getContext("2d")?.drawImage(source, 0, 0);
    return new Promise((resolve, reject) =>
        canvas.toBlob(blob => (blob ? resolve(blob) : reject(new Error("no picture"))), type, 0.95),
    );
}

/**
 * Return a function that calls `draw` once before the next frame, however often it is called.
 *
 * @param {() => void} draw
 */
export function oncePerFrame(draw) {
    let isDue = false;
    return () => {
        if (isDue) return;
        isDue = true;
        requestAnimationFrame(() => {
            isDue = false;
            draw();
        });
    };
}

/**
 * Draw the outline of a brush, white on black, which is visible on any photo.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {[number, number]} centre in pixels of the canvas
 * @param {number} radius in pixels of the canvas
 * @param {number} ratio pixels of the canvas per CSS pixel
 */
export function drawBrushOutline(context, centre, radius, ratio) {
    for (const [ink, width] of /** @type {const} */ ([
        ["#000", 3],
        ["#fff", 1.5],
    ])) {
        context.strokeStyle = ink;
        context.lineWidth = width * ratio;
        context.beginPath();
        context.arc(...centre, radius, 0, 2 * Math.PI);
        context.stroke();
    }
}
