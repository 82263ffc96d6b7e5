// What Gradio's controls lack for a keyboard.

document.addEventListener("keydown", ({key}) => {  // the options of one question are one stop
    if (key === "Tab" || key.startsWith("Arrow")) {
        for (const options of document.querySelectorAll("fieldset")) {  // Gradio gives each option a name of its own
            const [first, ...others] = options.querySelectorAll("input[type=radio]");
            for (const other of others) other.name = first.name;
        }
    }
}, true);

{
    let number = "";  // before it is changed

    document.addEventListener("focusin", ({target}) => {
        if (target.type === "number") number = target.value;
    });

    document.addEventListener("change", ({target}) => {
        if (target.type === "number" && target.value) number = target.value;
    });

    document.addEventListener("blur", ({target}) => {  // one that is emptied is what it was; Gradio takes the lowest
        if (target.type !== "number" || target.value) return;
        target.value = number;
        target.dispatchEvent(new Event("input", {bubbles: true}));
    }, true);
}
