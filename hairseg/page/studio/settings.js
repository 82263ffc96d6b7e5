/**
 * What is chosen, and links that hold it.
 *
 * @typedef {{colour: string, variant: string, strength: number, vividness: number, lightness: number, natural_roots: number,
 *   second_mode: string, second_colour: string, ombre_start: number, model: string | null}} Settings
 * @typedef {{presets: Record<string, string>, variants: string[], models: string[], numbers: Record<string, [number, number, number]>,
 *   modes: string[], strokePoints: number, largestMegabytes: number, firstExample: string}} Constants
 */

/**
 * @param {string} text a preset's name, a code with or without #, or rgb(...) as colour pickers give it
 * @param {Record<string, string>} presets
 * @returns {string | undefined} #rrggbb
 */
export function parseColour(text, presets) {
    const name = text.trim().toLowerCase();
    if (Object.hasOwn(presets, name)) return presets[name];
    const code = name.match(/^#?([0-9a-f]{6})$/);
    if (code) return `#${code[1]}`;
    const rgb = name.match(/^rgba?\(\s*([\d.]+)[\s,]+([\d.]+)[\s,]+([\d.]+)/);
    if (!rgb) return undefined;
    const channels = rgb.slice(1).map(value => Math.min(255, Math.round(Number(value))));
    return `#${channels.map(value => value.toString(16).padStart(2, "0")).join("")}`;
}

/**
 * @param {string} code
 * @param {Record<string, string>} presets
 */
export function presetOf(code, presets) {
    return Object.keys(presets).find(name => presets[name] === code);
}

/**
 * @param {Settings} settings
 * @param {Constants} constants
 * @returns {URLSearchParams} what differs from the beginning, and the colour and network
 */
export function toQuery(settings, constants) {
    const {presets, numbers, modes, models} = constants;
    /** @param {string} code */
    const colour = code => presetOf(code, presets) ?? code.slice(1);
    const query = new URLSearchParams({colour: colour(settings.colour), variant: settings.variant});
    for (const [name, [, , defaults]] of Object.entries(numbers)) {
        const value = settings[/** @type {"strength"} */ (name)];
        if (value !== defaults) query.set(name, String(value));
    }
    if (settings.second_mode !== modes[0]) {
        query.set("second_mode", settings.second_mode);
        query.set("second_colour", colour(settings.second_colour));
    }
    if (models.length > 1 && settings.model) query.set("model", settings.model);
    return query;
}

/**
 * @param {URLSearchParams} query
 * @param {Settings} defaults
 * @param {Constants} constants
 * @returns {{settings: Settings, unknown: string[]}} what a link asks for, and the parts that this page does not offer
 */
export function fromQuery(query, defaults, constants) {
    const {presets, numbers, modes, models, variants} = constants;
    /** @param {string[]} choices */
    const oneOf = choices => (/** @type {string} */ text) => (choices.includes(text) ? text : undefined);
    /** @param {string} text */
    const colour = text => parseColour(text, presets);
    /** @type {Record<string, (text: string) => string | number | undefined>} */
    const parsers = {colour, second_colour: colour, variant: oneOf(variants), second_mode: oneOf(modes)};
    parsers.model = oneOf(models);
    for (const [name, [lowest, highest]] of Object.entries(numbers)) {
        parsers[name] = text => {
            const value = text.trim() ? Number(text) : NaN;
            return value >= lowest && value <= highest ? value : undefined;
        };
    }
    /** @type {Record<string, unknown>} */
    const settings = {...defaults};
    const unknown = [];
    for (const [name, parse] of Object.entries(parsers)) {
        const text = query.get(name);
        if (!text) continue;
        const value = parse(text);
        if (value === undefined) unknown.push(`the ${name.replace("_", " ")} ${text.slice(0, 40)}`);
        else settings[name] = value;
    }
    return {settings: /** @type {Settings} */ (settings), unknown};
}

/**
 * @param {Settings} settings
 * @param {Settings} defaults
 * @returns {number} of settings under "Finer settings" that are not as in the beginning
 */
export function countChanged(settings, defaults) {
    const names = /** @type {const} */ (["vividness", "lightness", "natural_roots", "second_mode"]);
    return names.filter(name => settings[name] !== defaults[name]).length;
}
