// The colour that is chosen, and links that hold it with the other settings.

Object.assign(hairseg, {
    hex(colour) {  // "rgba(142, 36.2, 170, 1)" of the colour picker -> "#8e24aa"
        const channels = colour.match(/^rgba?\(([\d.]+), *([\d.]+), *([\d.]+)/);
        if (!channels) return colour;
        return "#" + channels.slice(1).map(value => Math.round(value).toString(16).padStart(2, "0")).join("");
    },

    chosen: null,  // colour, variant and strength of "Try it"

    preset: code => Object.keys(PRESETS).find(name => PRESETS[name] === code),

    markSwatch(colour) {
        hairseg.colour = hairseg.hex(colour);
        const chosen = hairseg.preset(hairseg.colour);
        for (const name of Object.keys(PRESETS)) {
            const button = document.getElementById(`swatch-${name.replace(/ /g, "-")}`);
            button?.setAttribute("aria-pressed", String(name === chosen));
        }
    },

    // Link of the page and link with these settings; a page that has a public link gives that one.
    writeLinks(models, colour, variant, strength, model, published) {
        hairseg.markSwatch(colour);
        hairseg.chosen = {colour, variant, strength};
        const code = hairseg.hex(colour), link = new URL(published || window.location.href);
        link.search = "";
        const page = link.href, settings = {colour: hairseg.preset(code) || code.slice(1), variant};
        if (strength !== 1) settings.strength = strength;
        if (models.length > 1) settings.model = model;
        link.search = new URLSearchParams(settings);
        return [page, link.href];
    },

    // Colour, variant, strength and model that the page's own link asks for, as far as there are such.
    readLink(models, colour, variant, strength, model) {
        const wanted = new URLSearchParams(window.location.search), name = (wanted.get("colour") || "").toLowerCase();
        if (name in PRESETS) colour = PRESETS[name];
        if (/^#?[0-9a-f]{6}$/.test(name)) colour = "#" + name.replace("#", "");
        if (VARIANTS.includes(wanted.get("variant"))) variant = wanted.get("variant");
        const share = parseFloat(wanted.get("strength"));
        if (share >= 0 && share <= 1) strength = share;
        if (models.includes(wanted.get("model"))) model = wanted.get("model");
        else if (wanted.has("model")) hairseg.say(`This page has no model ${wanted.get("model")}; ${model} is shown.`);
        return [colour, variant, strength, model];
    },
});
