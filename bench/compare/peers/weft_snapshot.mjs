// SPDX-License-Identifier: MIT
export { snapshot as default } from "./weft.mjs";
