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

    chosen: null,  // colour, variant and strength of "Try it"

    preset: code => Object.keys(PRESETS).find(name => PRESETS[name] === code),

    markSwatch(colour) {
        hairseg.colour = colour;
        const chosen = hairseg.preset(colour);
        for (const name of Object.keys(PRESETS)) {
            const button = document.getElementById(`swatch-${name.replace(/ /g, "-")}`);
            button?.setAttribute("aria-pressed", String(name === chosen));
        }
    },

    // Link of the page and link with these settings; a page that has a public link gives that one.
    writeLinks(models, colour, variant, strength, model, published) {
        hairseg.markSwatch(colour);
        hairseg.chosen = {colour, variant, strength};
        const link = new URL(published || window.location.href);
        link.search = "";
        const page = link.href, settings = {colour: hairseg.preset(colour) || colour.slice(1), variant};
        if (strength !== 1) settings.strength = strength;
        if (models.length > 1) settings.model = model;
        link.search = new URLSearchParams(settings);
        return [page, link.href];
    },

    // Colour, variant, strength and model that the page's own link asks for, as far as there are such. What is not known is named.
    readLink(models, colour, variant, strength, model) {
        const wanted = new URLSearchParams(window.location.search), unknown = [];
        const read = (name, known) => {  // what `known` makes of what the link gives by that name; undefined: nothing
            const text = wanted.get(name), value = text === null ? undefined : known(text);
            if (text !== null && value === undefined) unknown.push(`the ${name} ${text.slice(0, 40)}`);
            return value;
        };
        const one = choices => text => choices.includes(text) ? text : undefined;
        colour = read("colour", text => {
            const name = text.toLowerCase();
            return Object.hasOwn(PRESETS, name) ? PRESETS[name] : name.match(/^#?([0-9a-f]{6})$/)?.[1].replace(/^/, "#");
        }) ?? colour;
        variant = read("variant", one(VARIANTS)) ?? variant;
        strength = read("strength", text => text.trim() && text >= 0 && text <= 1 ? Number(text) : undefined) ?? strength;
        model = read("model", one(models)) ?? model;
        if (unknown.length) hairseg.say(`The link asks for ${new Intl.ListFormat("en").format(unknown)}, which this page does not know.`);
        return [colour, variant, strength, model];
    },
});
