// The touch-up brush on the recoloured picture. style.py puts BRUSH, the limits of touch_up.py, in front of this file.
//
// Strokes belong to the photo and go with it: hairseg.photo.strokes, each {adds, radius, points}. The radius is a share of
// the photo's longer side, points are x, y, x, y ... as shares of its width and height. Every change of them is an edit,
// which has a number. Until the server's picture of an edit is there, its stroke is shown as it was drawn.

hairseg.touchUp = (element, frame) => {
    const canvas = frame.querySelector("canvas"), context = canvas.getContext("2d");
    const start = element.querySelector("#touch-up-button"), strip = element.querySelector("#touch-up");
    const buttons = Object.fromEntries([...strip.querySelectorAll("[data-do]")].map(button => [button.dataset.do, button]));
    const size = strip.querySelector("input");
    let adds = true;
    let stroke = null;  // under way
    let drawn = [];  // [stroke, number of its edit], not yet in the server's picture
    let brush = null;  // where it is, [x, y]
    let paints = {};

    const radius = () => size.value / 100;

    // The photo as it is, or dyed: one of them may just be on its way, and has no size yet.
    const sized = () => [...frame.querySelectorAll("#original img, #recoloured img")].find(img => img.naturalWidth);

    const place = () => {  // of the picture in the canvas, in the canvas's pixels
        const {naturalWidth, naturalHeight} = sized();
        const scale = Math.min(canvas.width / naturalWidth, canvas.height / naturalHeight);
        const [width, height] = [scale * naturalWidth, scale * naturalHeight];
        return {left: (canvas.width - width) / 2, top: (canvas.height - height) / 2, width, height};
    };

    const paint = at => {  // what strokes are drawn with: the photo as it is, and roughly dyed
        const original = frame.querySelector("#original img"), box = [at.left, at.top, at.width, at.height];
        const made = [hairseg.colour, original.src, original.naturalWidth, ...box].join();
        if (paints.made === made) return;
        const layer = document.createElement("canvas");
        [layer.width, layer.height] = [canvas.width, canvas.height];
        const pen = layer.getContext("2d");
        pen.drawImage(original, ...box);
        const plain = context.createPattern(layer, "no-repeat");
        pen.fillStyle = hairseg.colour;
        pen.globalCompositeOperation = "color";
        pen.fillRect(...box);
        pen.globalCompositeOperation = "source-over";
        pen.globalAlpha = 0.35;
        pen.fillRect(...box);
        paints = {made, plain, dyed: context.createPattern(layer, "no-repeat")};
    };

    const draw = () => {
        if (canvas.hidden || !sized()) return;
        const {width, height} = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio;
        [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];  // which empties it
        const at = place(), longer = Math.max(at.width, at.height);
        const [x, y] = [share => at.left + share * at.width, share => at.top + share * at.height];
        paint(at);
        context.save();
        context.rect(at.left, at.top, at.width, at.height);
        context.clip();
        context.lineCap = context.lineJoin = "round";
        for (const {adds, radius, points} of [...drawn.map(([stroke]) => stroke), ...(stroke ? [stroke] : [])]) {
            context.strokeStyle = adds ? paints.dyed : paints.plain;
            context.lineWidth = 1.4 * radius * longer;  // to the middle of its soft edge
            context.beginPath();
            context.moveTo(x(points[0]), y(points[1]));
            for (let i = 0; i < points.length; i += 2) context.lineTo(x(points[i]), y(points[i + 1]));
            context.stroke();
        }
        context.restore();
        if (!brush) return;
        for (const [colour, width] of [["#000", 3], ["#fff", 1.5]]) {  // seen on light and on dark
            context.strokeStyle = colour;
            context.lineWidth = width * ratio;
            context.beginPath();
            context.arc(x(brush[0]), y(brush[1]), radius() * longer, 0, 2 * Math.PI);
            context.stroke();
        }
    };

    let asked = false;
    const redraw = () => {
        if (asked) return;
        asked = true;
        requestAnimationFrame(() => {
            asked = false;
            draw();
        });
    };

    const refresh = () => {
        const {photo} = hairseg, on = !strip.hidden;
        const count = photo ? photo.strokes.length : 0;
        start.hidden = on || frame.classList.contains("is-empty");
        start.textContent = count ? `Touch up · ${count}` : "Touch up";
        buttons.add.setAttribute("aria-pressed", String(adds));
        buttons.remove.setAttribute("aria-pressed", String(!adds));
        buttons.undo.setAttribute("aria-disabled", String(!photo?.past.length));  // disabled, they would lose the focus
        buttons.clear.setAttribute("aria-disabled", String(!count));
        redraw();
    };

    const turn = on => {
        stroke = brush = null;
        strip.hidden = canvas.hidden = !on;
        frame.classList.toggle("is-touched", on);
        for (const id of ["figure3", "story2"]) document.getElementById(id)?.classList.toggle("touching", on);
        refresh();
    };
    const end = () => {
        turn(false);
        start.focus();
    };

    // ---- edits ----

    const edit = strokes => {
        hairseg.photoInput.touch(strokes);
        drawn = drawn.filter(([stroke]) => strokes.includes(stroke));
    };
    const finish = () => {
        const {photo} = hairseg, finished = stroke;
        stroke = null;
        if (!finished) return;
        photo.past.push(photo.strokes);
        edit([...photo.strokes, finished]);
        drawn.push([finished, photo.edit]);
        refresh();
    };
    const acts = {
        add: () => { adds = true; },
        remove: () => { adds = false; },
        undo() {
            if (hairseg.photo.past.length) edit(hairseg.photo.past.pop());
        },
        clear() {
            if (!hairseg.photo.strokes.length) return;
            hairseg.photo.past.push(hairseg.photo.strokes);
            edit([]);
        },
        end,
    };

    // ---- the brush ----

    const begin = () => {
        const {strokes} = hairseg.photo, points = strokes.reduce((sum, {points}) => sum + points.length / 2, 0);
        if (strokes.length >= BRUSH.strokes || points + BRUSH.stroke > BRUSH.points) {
            hairseg.say("The touch-up is as long as it may be: undo or clear some strokes first.");
            return;
        }
        hairseg.say("");
        stroke = {adds, radius: radius(), points: brush.map(rounded)};
        redraw();
    };
    const rounded = share => Math.round(1e4 * Math.min(1.25, Math.max(-0.25, share))) / 1e4;
    const extend = () => {
        if (!stroke) return;
        const {points} = stroke, at = place(), longer = Math.max(at.width, at.height);
        const [x, y] = [brush[0] - points.at(-2), brush[1] - points.at(-1)];
        if (Math.hypot(x * at.width, y * at.height) < stroke.radius * longer / 6) return;
        points.push(...brush.map(rounded));
        if (points.length >= 2 * BRUSH.stroke) {
            finish();
            begin();
        }
    };
    const point = event => {
        const box = canvas.getBoundingClientRect(), at = place(), ratio = canvas.width / box.width;
        return [((event.clientX - box.left) * ratio - at.left) / at.width,
                ((event.clientY - box.top) * ratio - at.top) / at.height];
    };
    const cancel = () => {
        stroke = null;
        redraw();
    };

    canvas.addEventListener("pointerdown", event => {
        if (!event.isPrimary) return cancel();  // two fingers zoom or scroll the page
        if (event.button !== 0 || !sized()) return;
        canvas.setPointerCapture(event.pointerId);
        brush = point(event);
        begin();
    });
    canvas.addEventListener("pointermove", event => {
        if (!event.isPrimary || !sized()) return;
        const events = stroke && event.getCoalescedEvents ? event.getCoalescedEvents() : [];
        for (const moved of events.length ? events : [event]) {
            brush = point(moved);
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
    canvas.addEventListener("keydown", event => {
        const towards = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
        if (!towards && event.key !== " ") return;
        event.preventDefault();
        if (!sized()) return;
        const at = place(), step = radius() * Math.max(at.width, at.height) / 2;
        brush ||= [0.5, 0.5];
        if (towards) {
            brush = [brush[0] + towards[0] * step / at.width, brush[1] + towards[1] * step / at.height]
                .map(share => Math.min(1, Math.max(0, share)));
        } else if (!event.repeat) {
            begin();
            finish();
        }
        redraw();
    });

    // ---- controls ----

    start.addEventListener("click", () => {
        turn(true);
        buttons[adds ? "add" : "remove"].focus();
        element.scrollIntoView({block: "nearest"});
    });
    strip.addEventListener("click", event => {
        const act = acts[event.target.closest("[data-do]")?.dataset.do];
        if (!act) return;
        act();
        refresh();
    });
    size.addEventListener("input", () => {
        brush = [0.5, 0.5];  // to show how large it is
        redraw();
    });
    document.addEventListener("keydown", event => {
        if (strip.hidden || document.querySelector("dialog[open]")) return;
        if (event.key === "Escape") end();
        if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey
            && !event.target.closest("input:not([type=range]), textarea")) {
            event.preventDefault();
            acts.undo();
            refresh();
        }
    });
    new ResizeObserver(redraw).observe(canvas);

    const settle = () => {  // once a picture is there, what it shows need not be drawn any more
        const {photo} = hairseg, picture = frame.querySelector("#recoloured img");
        if (photo && picture?.complete) drawn = drawn.filter(([, edit]) => edit > photo.shown);
        refresh();
    };
    frame.querySelector("#recoloured").addEventListener("load", settle, true);
    hairseg.resets.push(() => {
        drawn = [];
        turn(false);
    });
    return settle;
};
