// What Gradio's controls lack for a keyboard: Escape closes a colour picker, and the options of one question are one stop.

document.addEventListener("keydown", ({key}) => {
    if (key === "Tab" || key.startsWith("Arrow")) {
        for (const options of document.querySelectorAll("fieldset")) {  // Gradio gives each option a name of its own
            const [first, ...others] = options.querySelectorAll("input[type=radio]");
            for (const other of others) other.name = first.name;
        }
    }
    const picker = key === "Escape" && document.querySelector(".color-picker");
    if (picker) {
        document.body.dispatchEvent(new MouseEvent("mousedown", {bubbles: true}));  // as a click beside it
        picker.parentElement.querySelector("button").focus();
    }
}, true);
