/**
 * The brush on the recoloured picture. Until the server's picture of an edit is there, its strokes are drawn in the browser.
 *
 * @typedef {{adds: boolean, radius: number, points: number[]}} Stroke radius: fraction of the photo's longer side;
 *   points: x, y, x, y, ... as fractions of its width and height
 * @typedef {{strokes: Stroke[], past: Stroke[][]}} Edits
 */
import {drawBrushOutline, oncePerFrame} from "./canvas.js";
import {clamp} from "./zoom.js";

/** @param {number} fraction */
export const roundFraction = fraction => Math.round(1e4 * clamp(fraction, -0.25, 1.25)) / 1e4;

/**
 * @param {HTMLElement} element of the studio
 * @param {{strokePoints: number, edits: () => Edits | null, colour: () => string, view: () => import("./zoom.js").View,
 *   onEdit: () => void}} studio strokePoints: maximum per stroke
 */
export function createBrush(element, {strokePoints, edits, colour, view, onEdit}) {
    const frame = /** @type {HTMLElement} */ (element.querySelector("#compare"));
    const canvas = /** @type {HTMLCanvasElement} */ (frame.querySelector("canvas.brush"));
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const toolbar = /** @type {HTMLElement} */ (element.querySelector(".brush-tools"));
    const toggle = /** @type {HTMLButtonElement} */ (element.querySelector("[data-do=brush]"));
    const size = /** @type {HTMLInputElement} */ (toolbar.querySelector("input"));
    /** @param {string} name */
    const button = name => /** @type {HTMLButtonElement} */ (toolbar.querySelector(`[data-brush=${name}]`));
    let adds = true;
    /** @type {Stroke | null} */
    let stroke = null;
    /** @type {Stroke[]} not yet in the server's picture */
    let pending = [];
    /** @type {[number, number] | null} */
    let brush = null;
    /** @type {{key?: string, plain?: CanvasPattern | null, dyed?: CanvasPattern | null}} */
    let paints = {};

    const radius = () => Number(size.value) / 100;
    const original = () => /** @type {HTMLImageElement | null} */ (frame.querySelector("#original img"));
    /** Place of the whole photo in the canvas, in its pixels. */
    const place = () => {
        const {scale, x, y} = view();
        const [width, height] = [scale * canvas.width, scale * canvas.height];
        return {left: -x * width, top: -y * height, width, height, longer: Math.max(width, height)};
    };
    /** @param {HTMLImageElement} image @param {ReturnType<typeof place>} at */
    const preparePaints = (image, at) => {
        const key = [colour(), image.src, image.naturalWidth, canvas.width, canvas.height, ...Object.values(at)].join();
        if (paints.key === key) return;
        const layer = Object.assign(document.createElement("canvas"), {width: canvas.width, height: canvas.height});
        const pen = /** @type {CanvasRenderingContext2D} */ (layer.getContext("2d"));
        pen.drawImage(image, at.left, at.top, at.width, at.height);
        const plain = context.createPattern(layer, "no-repeat");
        pen.fillStyle = colour();
        for (const [operation, alpha] of /** @type {const} */ ([
            ["color", 1],
            ["source-over", 0.35],
        ])) {
            pen.globalCompositeOperation = operation;
            pen.globalAlpha = alpha;
            pen.fillRect(0, 0, layer.width, layer.height);
        }
        paints = {key, plain, dyed: context.createPattern(layer, "no-repeat")};
    };

    const draw = () => {
        const image = original();
        if (canvas.hidden || !image?.naturalWidth) return;
        const box = canvas.getBoundingClientRect(),
            ratio = window.devicePixelRatio;
        Object.assign(canvas, {width: Math.round(box.width * ratio), height: Math.round(box.height * ratio)});
        const at = place();
        preparePaints(image, at);
        context.lineCap = context.lineJoin = "round";
        for (const {adds, radius, points} of stroke ? [...pending, stroke] : pending) {
            context.strokeStyle = (adds ? paints.dyed : paints.plain) ?? "#8888";
            context.lineWidth = 1.4 * radius * at.longer; // up to the middle of the soft edge
            context.beginPath();
            context.moveTo(at.left + points[0] * at.width, at.top + points[1] * at.height);
            for (let i = 0; i < points.length; i += 2) {
                context.lineTo(at.left + points[i] * at.width, at.top + points[i + 1] * at.height);
            }
            context.stroke();
        }
        if (!brush) return;
        const centre = /** @type {[number, number]} */ ([at.left + brush[0] * at.width, at.top + brush[1] * at.height]);
        drawBrushOutline(context, centre, radius() * at.longer, ratio);
    };
    const redraw = oncePerFrame(draw);

    const refresh = () => {
        const current = edits(),
            count = current?.strokes.length ?? 0;
        toggle.textContent = count ? `Touch up · ${count}` : "Touch up";
        toggle.setAttribute("aria-pressed", String(!toolbar.hidden));
        button("add").setAttribute("aria-pressed", String(adds));
        button("remove").setAttribute("aria-pressed", String(!adds));
        button("undo").setAttribute("aria-disabled", String(!current?.past.length)); // disabled, it would lose the focus
        button("clear").setAttribute("aria-disabled", String(!count));
        redraw();
    };
    /** @param {boolean} isOn */
    const setActive = isOn => {
        stroke = brush = null;
        toolbar.hidden = canvas.hidden = !isOn;
        element.classList.toggle("is-brushing", isOn);
        refresh();
    };
    const end = () => {
        setActive(false);
        toggle.focus();
    };
    /** @param {Stroke[]} strokes */
    const edit = strokes => {
        const current = edits();
        if (!current) return;
        current.strokes = strokes;
        pending = pending.filter(each => strokes.includes(each));
        onEdit();
        refresh();
    };

    const begin = () => {
        if (!brush || !edits()) return;
        stroke = {adds, radius: radius(), points: brush.map(roundFraction)};
        redraw();
    };
    const finish = () => {
        const finished = stroke,
            current = edits();
        stroke = null;
        if (!finished || !current) return;
        current.past.push(current.strokes);
        pending.push(finished);
        edit([...current.strokes, finished]);
    };
    const extend = () => {
        if (!stroke || !brush) return;
        const {points} = stroke,
            [x, y] = points.slice(-2),
            at = place();
        if (Math.hypot((brush[0] - x) * at.width, (brush[1] - y) * at.height) < (stroke.radius * at.longer) / 6) return;
        points.push(...brush.map(roundFraction));
        if (points.length >= 2 * strokePoints) {
            finish();
            begin();
        }
    };
    const cancel = () => {
        stroke = null;
        redraw();
    };
    const undo = () => {
        const previous = edits()?.past.pop();
        if (previous) edit(previous);
    };
    /** @param {PointerEvent} event @returns {[number, number]} */
    const pointOf = event => {
        const box = canvas.getBoundingClientRect(),
            {scale, x, y} = view();
        return [x + (event.clientX - box.left) / box.width / scale, y + (event.clientY - box.top) / box.height / scale];
    };

    canvas.addEventListener("pointerdown", event => {
        if (!event.isPrimary) return cancel(); // two fingers zoom or scroll the page
        if (event.button !== 0) return;
        canvas.setPointerCapture(event.pointerId);
        brush = pointOf(event);
        begin();
    });
    canvas.addEventListener("pointermove", event => {
        if (!event.isPrimary) return;
        const moves = stroke && event.getCoalescedEvents ? event.getCoalescedEvents() : [];
        for (const move of moves.length ? moves : [event]) {
            brush = pointOf(move);
            extend();
        }
        redraw();
    });
    canvas.addEventListener("pointerup", event => event.isPrimary && finish());
    canvas.addEventListener("pointercancel", cancel);
    canvas.addEventListener("pointerleave", () => {
        brush = null;
        redraw();
    });
    /** @type {Record<string, [number, number]>} */
    const directions = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
    canvas.addEventListener("keydown", event => {
        const direction = directions[event.key];
        if (!direction && event.key !== " ") return;
        event.preventDefault();
        const at = place(),
            step = (radius() * at.longer) / 2;
        brush ||= [view().x + 0.5 / view().scale, view().y + 0.5 / view().scale];
        if (direction) {
            brush = [
                clamp(brush[0] + (direction[0] * step) / at.width, 0, 1),
                clamp(brush[1] + (direction[1] * step) / at.height, 0, 1),
            ];
        } else if (!event.repeat) {
            begin();
            finish();
        }
        redraw();
    });
    toggle.addEventListener("click", () => {
        setActive(toolbar.hidden === true);
        if (!toolbar.hidden) button(adds ? "add" : "remove").focus();
    });
    toolbar.addEventListener("click", event => {
        const action = /** @type {HTMLElement} */ (event.target).closest("button")?.dataset.brush;
        if (action === "add" || action === "remove") adds = action === "add";
        if (action === "undo") undo();
        const current = edits();
        if (action === "clear" && current?.strokes.length) {
            current.past.push(current.strokes);
            edit([]);
        }
        if (action === "end") end();
        refresh();
    });
    size.addEventListener("input", () => {
        brush = [view().x + 0.5 / view().scale, view().y + 0.5 / view().scale]; // shows its size
        redraw();
    });
    document.addEventListener("keydown", event => {
        if (toolbar.hidden) return;
        if (event.key === "Escape") end();
        const isTyping = /** @type {HTMLElement} */ (event.target).closest("input:not([type=range]), textarea");
        if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !isTyping) {
            event.preventDefault();
            undo();
        }
    });
    new ResizeObserver(redraw).observe(canvas);

    return {
        isOn: () => !toolbar.hidden,
        redraw,
        reset() {
            pending = [];
            setActive(false);
        },
        refresh,
        /** @param {Stroke[]} strokes that the server's picture contains */
        settle(strokes) {
            pending = pending.filter(each => !strokes.includes(each) && edits()?.strokes.includes(each));
            refresh();
        },
    };
}
