// What Gradio's controls lack for a keyboard: the options of one question are one stop.

document.addEventListener("keydown", ({key}) => {
    if (key === "Tab" || key.startsWith("Arrow")) {
        for (const options of document.querySelectorAll("fieldset")) {  // Gradio gives each option a name of its own
            const [first, ...others] = options.querySelectorAll("input[type=radio]");
            for (const other of others) other.name = first.name;
        }
    }
}, true);
