// The colour that is chosen, and links that hold it with the other settings.

Object.assign(hairseg, {
    colourInput(element, props, watch) {
        const input = element.querySelector("input"), show = () => input.value = props.value;
        input.addEventListener("input", () => props.value = input.value);
        watch("value", show);
        show();
    },

    pick(colour) {  // as a visitor would
        const input = document.querySelector("#colour input");
        input.value = colour;
        input.dispatchEvent(new Event("input"));
    },

    chosen: null,  // what is chosen under "Try it", by the names of the settings

    preset: code => Object.keys(PRESETS).find(name => PRESETS[name] === code),

    markSwatch(colour) {
        hairseg.colour = colour;
        const chosen = hairseg.preset(colour);
        for (const name of Object.keys(PRESETS)) {
            const button = document.getElementById(`swatch-${name.replace(/ /g, "-")}`);
            button?.setAttribute("aria-pressed", String(name === chosen));
        }
    },

    // Link of the page and link with what is chosen, by the names of the settings; a page that has a public link gives that one.
    writeLinks(names, models, now) {
        const chosen = Object.fromEntries(names.map((name, index) => [name, now[index]])), [published] = now.slice(names.length);
        hairseg.markSwatch(chosen.colour);
        hairseg.chosen = chosen;
        const link = new URL(published || window.location.href), code = colour => hairseg.preset(colour) || colour.slice(1);
        link.search = "";
        const page = link.href, settings = {colour: code(chosen.colour), variant: chosen.variant};
        for (const [name, [, , usual]] of Object.entries(NUMBERS)) if (chosen[name] !== usual) settings[name] = chosen[name];
        if (chosen.second_mode !== MODES[0]) {
            Object.assign(settings, {second_mode: chosen.second_mode, second_colour: code(chosen.second_colour)});
        }
        if (models.length > 1) settings.model = chosen.model;
        link.search = new URLSearchParams(settings);
        return [page, link.href];
    },

    // What the page's own link asks for, as far as there is such. What is not known is named.
    readLink(names, models, now) {
        const wanted = new URLSearchParams(window.location.search), unknown = [];
        const one = choices => text => choices.includes(text) ? text : undefined;
        const colour = text => {
            const name = text.toLowerCase();
            return Object.hasOwn(PRESETS, name) ? PRESETS[name] : name.match(/^#?([0-9a-f]{6})$/)?.[1].replace(/^/, "#");
        };
        const number = ([lowest, highest]) => text => text.trim() && text >= lowest && text <= highest ? Number(text) : undefined;
        const kinds = {colour, second_colour: colour, variant: one(VARIANTS), second_mode: one(MODES), model: one(models)};
        for (const [name, span] of Object.entries(NUMBERS)) kinds[name] = number(span);
        const chosen = names.map((name, index) => {
            const text = wanted.get(name), value = !text ? now[index] : kinds[name](text);
            if (value === undefined) unknown.push(`the ${name.replace("_", " ")} ${text.slice(0, 40)}`);
            return value ?? now[index];
        });
        if (unknown.length) hairseg.say(`The link asks for ${new Intl.ListFormat("en").format(unknown)}, which this page does not offer.`);
        return chosen;
    },
});
