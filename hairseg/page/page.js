// Links of the page: one that opens it with a colour and a variant, and the settings of the link that opened it.
// A colour is a preset's name or rrggbb there. style.py puts the presets and the variants in front of this file.

const hairseg = {
    // "rgba(142, 36.2, 170, 1)" of the colour picker -> "#8e24aa"
    hex(colour) {
        const channels = colour.match(/^rgba?\(([\d.]+), *([\d.]+), *([\d.]+)/);
        if (!channels) return colour;
        return "#" + channels.slice(1).map(value => Math.round(value).toString(16).padStart(2, "0")).join("");
    },

    // Link of the page and link with these settings; a page that has a public link gives that one.
    writeLinks(colour, variant, published) {
        const code = hairseg.hex(colour), preset = Object.keys(PRESETS).find(name => PRESETS[name] === code);
        const link = new URL(published || window.location.href);
        link.search = "";
        const page = link.href;
        link.search = new URLSearchParams({colour: preset || code.slice(1), variant});
        return [page, link.href];
    },

    // Colour and variant that the page's own link asks for, as far as there are such.
    readLink(colour, variant) {
        const wanted = new URLSearchParams(window.location.search), name = (wanted.get("colour") || "").toLowerCase();
        if (name in PRESETS) colour = PRESETS[name];
        if (/^#?[0-9a-f]{6}$/.test(name)) colour = "#" + name.replace("#", "");
        if (VARIANTS.includes(wanted.get("variant"))) variant = wanted.get("variant");
        return [colour, variant];
    },
};
