/** One item of the status bar: whether grey suggestions come, and if not, why. A click turns them on or off. */
import * as vscode from "vscode";
import type { Told } from "./ghost";

const OFF = "turned off";

export class Status implements Told, vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem("ossian", vscode.StatusBarAlignment.Right, 100);

  constructor() {
    this.item.name = "Ossian's grey suggestions";
    this.item.command = "ossian.toggleGhostText";
    this.shown();
    this.item.show();
  }

  asking(): void {
    this.write("$(loading~spin) Ossian", "A suggestion is being written.");
  }

  shown(): void {
    this.write("$(sparkle) Ossian", "Grey suggestions are on.");
  }

  /** The reason stands in the tooltip, which a screen reader says too. */
  silent(why: string): void {
    this.write("$(circle-slash) Ossian", `No suggestion: ${why.replace(/\.$/, "")}.`);
  }

  enabled(on: boolean): void {
    if (on) this.shown();
    else this.silent(OFF);
  }

  dispose(): void {
    this.item.dispose();
  }

  private write(text: string, tooltip: string): void {
    this.item.text = text;
    this.item.tooltip = tooltip;
    this.item.accessibilityInformation = { label: `Ossian. ${tooltip} Press to turn suggestions on or off.` };
  }
}
