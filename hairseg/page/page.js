// What the page does in the browser. style.py puts PRESETS (names and codes) and VARIANTS in front of this file.
//
// Every photo that comes in begins a look, which has a number, and so does every other model that is chosen for it. Results
// carry the number of the look that they were asked for, and only those of the present one are shown: a slow answer never
// stands beside another photo, nor under another model's name.

const hairseg = {
    look: 0,  // number of the present look; the page's first one begins at a random number, so that no two pages share it
    // {name, src, bring: has the server keep it, path: there, isSeen: results of it are, before: the photo to go back to,
    // said: what to say once it is seen, and its touch-up: strokes, past, edit, shown}; null without one
    photo: null,
    model: null,  // name of the chosen model; null: the first one

    requests: 0,  // for pictures, so far

    // Results carry the number of their request: one that a later one has overtaken is not shown.
    numbered([photo, ...settings], places) {  // the places of the results know it, too
        const asked = hairseg.requests += 1;
        for (const place of places) place.dataset.asked = asked;
        return [photo && {...photo, asked}, ...settings];
    },

    asking(names, inputs) {
        const tiles = inputs[0] ? names.map(name => document.querySelector(`#${name} .tile`)) : [];
        for (const tile of tiles) tile.classList.add("is-asked");
        return hairseg.numbered(inputs, tiles);
    },

    came(tile, asked) {  // the picture of that request, or a sentence instead; null: nobody waits any more
        if (asked === null || asked >= tile.dataset.asked) tile.classList.remove("is-asked");
    },

    dropped(number) {  // nothing comes of that call of a function
        const {outputs, triggers} = hairseg.partsOf(number);
        for (const name of triggers) document.getElementById(name)?.removeAttribute("aria-busy");
        for (const tile of outputs.map(name => document.querySelector(`#${name} .tile`)).filter(Boolean)) hairseg.came(tile, null);
    },

    partsOf(number) {  // names of the components that a function of the server fills, and of those that call it
        const {dependencies, components} = window.gradio_config;
        const {outputs = [], targets = []} = dependencies.find(({id}) => id === number) || {};
        const names = ids => components.filter(({id}) => ids.includes(id)).map(({props}) => props.elem_id).filter(Boolean);
        return {outputs: names(outputs), triggers: names(targets.map(([id]) => id))};
    },

    // ---- pictures and words ----

    address(route) {  // of one of Gradio's routes
        const {root = "", api_prefix = "/gradio_api"} = window.gradio_config || {};
        return `${root}${api_prefix}/${route}`;
    },

    url: path => hairseg.address(`file=${path.split("/").map(encodeURIComponent).join("/")}`),  // of a file that the server has made

    async fill(place, src, alt) {  // show one picture there, or none; the end is when it is there
        let img = place.querySelector("img");
        if (!src) return img?.remove();
        if (!img) place.append(img = document.createElement("img"));
        img.alt = alt;
        if (img.getAttribute("src") !== src) img.src = src;
        if (img.complete && img.naturalWidth) return;
        const again = () => img.getAttribute("src") === src && (img.src = src);
        await new Promise(resolve => {
            img.onload = resolve;
            img.onerror = () => setTimeout(again, hairseg.messages.AGAIN);
        });
    },

    share: value => `${(100 * value).toFixed(value < 0.1 ? 1 : 0)} %`,

    said: () => document.querySelector("#photo .alert")?.textContent ?? "",

    say(text) {  // one line of what is going on, or of what went wrong
        const line = document.querySelector("#photo .alert");
        if (line) line.textContent = text || "";
    },

    SENDING: "Sending the photo",

    sent(share) {  // so much of the photo: where results will stand, their tiles say so, and then what goes on
        const percent = Math.floor(100 * share);
        for (const empty of document.querySelectorAll(".empty[data-work]")) {
            empty.textContent = share === 1 ? empty.dataset.work : `${hairseg.SENDING}, ${percent} %`;
        }
    },

    stage(state) {  // "without-photo", "at-work" or "done"
        const tab = document.getElementById("figure3");
        for (const [name, on] of [["without-photo", state === "without-photo"], ["at-work", state === "at-work"]]) {
            tab?.classList.toggle(name, on);
            document.getElementById("story2")?.classList.toggle(name, on);
        }
        document.body.classList.toggle("hairseg-photo", state !== "without-photo");
        hairseg.keepFocus();
    },

    keepFocus() {  // in the page, where what had it has gone: a keyboard would begin at the top again
        if (document.activeElement?.checkVisibility() ?? true) return;
        const buttons = [...document.querySelectorAll("#photo [data-do=choose]")];
        buttons.find(button => button.checkVisibility())?.focus({preventScroll: true});
    },

    isPresent: value => value && hairseg.photo && value.look === hairseg.look,

    failed(value) {  // a photo that cannot be used goes, with one sentence; a wrong setting only gets the sentence
        if (!value.error) return false;
        if (value.gone) hairseg.photoInput.renew();
        else if (hairseg.photo.isSeen) hairseg.say(value.error);
        else hairseg.photoInput.back(value.error);
        return true;
    },

    // ---- no photo, no results ----

    clear() {  // no photo; nobody waits for its results any more
        hairseg.look += 1;
        hairseg.photo = null;
        hairseg.photoInput.forget();
        hairseg.reset();
        hairseg.stage("without-photo");
        hairseg.photoInput.show();
    },

    reset() {  // no results yet
        for (const empty of hairseg.resets) empty();
        document.querySelector("dialog.hairseg-large")?.close();
    },

    resets: [],

    shows: [],  // show the results that the tiles have; each says whether they are of the present look

    // ---- large ----

    enlarge(img) {
        if (img) hairseg.dialog(img.alt, Object.assign(document.createElement("img"), {src: img.src, alt: img.alt}));
    },

    dialog(title, content, action, link) {
        const before = document.querySelector("dialog.hairseg-large");
        before?.close();
        before?.remove();
        const dialog = document.createElement("dialog");
        dialog.className = "hairseg-large";
        dialog.setAttribute("aria-label", title);
        const bar = document.createElement("div");
        if (link) bar.append(link);
        const button = (text, act) => {
            const made = Object.assign(document.createElement("button"), {type: "button", textContent: text});
            made.addEventListener("click", act);
            bar.append(made);
        };
        if (action) button(action.text, action.act);
        button("Close", () => dialog.close());
        dialog.append(content, bar);
        dialog.addEventListener("click", event => event.target === dialog && dialog.close());
        (document.querySelector("gradio-app") || document.body).append(dialog);
        dialog.showModal();
        return dialog;
    },
};
