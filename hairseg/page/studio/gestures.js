/** Zoom and pan of the pictures: wheel, two fingers, double click, dragging and keyboard. */
import {panBy, WHOLE, zoomBy} from "./zoom.js";

/** @typedef {{clientX: number, clientY: number}} Point */

/** @type {Record<string, [number, number]>} */
const DIRECTIONS = {ArrowLeft: [0.2, 0], ArrowRight: [-0.2, 0], ArrowUp: [0, 0.2], ArrowDown: [0, -0.2]};

/**
 * @param {HTMLElement} frame
 * @param {Point} point
 * @returns {[number, number]} the point as fractions of the frame
 */
export function within(frame, {clientX, clientY}) {
    const box = frame.getBoundingClientRect();
    return [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
}

/**
 * The view after a pinch: the point of the photo between both fingers stays between them.
 *
 * @param {import("./zoom.js").View} view
 * @param {[number, number][]} before both fingers as fractions of the frame
 * @param {[number, number][]} after
 * @param {number} ratio aspect ratio of the frame, width / height
 */
export function pinch(view, before, after, ratio) {
    const [from, to] = [before, after].map(([[u, v], [s, t]]) => ({
        middle: /** @type {[number, number]} */ ([(u + s) / 2, (v + t) / 2]),
        distance: Math.hypot((u - s) * ratio, v - t),
    }));
    const zoomed = zoomBy(view, to.distance / (from.distance || 1), from.middle);
    return panBy(zoomed, to.middle[0] - from.middle[0], to.middle[1] - from.middle[1]);
}

/**
 * @param {HTMLElement} element of the studio
 * @param {{view: () => import("./zoom.js").View, setView: (view: import("./zoom.js").View) => void}} studio
 */
export function listenForZoom(element, {view, setView}) {
    for (const frame of /** @type {NodeListOf<HTMLElement>} */ (element.querySelectorAll(".frame"))) {
        /** @type {[number, number][]} two fingers, or none */
        let fingers = [];
        frame.addEventListener("dblclick", event =>
            setView(view().scale > 1 ? WHOLE : zoomBy(view(), 3, within(frame, event))),
        );
        frame.addEventListener(
            "wheel",
            event => {
                if (event.ctrlKey || (view().scale === 1 && !frame.closest("dialog"))) return; // the browser's zoom, and scrolling
                event.preventDefault();
                setView(zoomBy(view(), Math.exp(-event.deltaY / 300), within(frame, event)));
            },
            {passive: false},
        );
        for (const type of /** @type {const} */ (["touchstart", "touchend", "touchcancel"])) {
            frame.addEventListener(
                type,
                ({touches}) => {
                    fingers = touches.length === 2 ? [...touches].map(touch => within(frame, touch)) : [];
                },
                {passive: true},
            );
        }
        frame.addEventListener(
            "touchmove",
            event => {
                if (fingers.length < 2) return;
                if (event.cancelable) event.preventDefault();
                const before = fingers;
                fingers = [...event.touches].map(touch => within(frame, touch));
                setView(pinch(view(), before, fingers, frame.clientWidth / frame.clientHeight));
            },
            {passive: false},
        );
        frame.addEventListener("pointerdown", event => {
            const target = /** @type {HTMLElement} */ (event.target);
            if (view().scale === 1 || !event.isPrimary || event.button !== 0 || target.closest("input, canvas.brush"))
                return;
            event.preventDefault();
            frame.setPointerCapture(event.pointerId);
            let last = within(frame, event);
            /** @param {PointerEvent} move */
            const pan = move => {
                const now = within(frame, move);
                if (!fingers.length) setView(panBy(view(), now[0] - last[0], now[1] - last[1]));
                last = now;
            };
            frame.addEventListener("pointermove", pan);
            for (const ending of ["pointerup", "pointercancel"]) {
                frame.addEventListener(ending, () => frame.removeEventListener("pointermove", pan), {once: true});
            }
        });
        frame.addEventListener("dragstart", event => view().scale > 1 && event.preventDefault()); // dragging pans
        frame.addEventListener("keydown", event => {
            if (/** @type {HTMLElement} */ (event.target).closest("input, canvas")) return;
            const direction = DIRECTIONS[event.key];
            if (event.key === "+" || event.key === "=") setView(zoomBy(view(), 1.5));
            else if (event.key === "-") setView(zoomBy(view(), 1 / 1.5));
            else if (event.key === "0") setView(WHOLE);
            else if (direction && view().scale > 1) setView(panBy(view(), ...direction));
            else return;
            event.preventDefault();
        });
    }
}
