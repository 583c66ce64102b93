//! GNU tar and bsdtar: `--totals` and all messages on stderr. GNU tar speaks the job's language; its totals are
//! known by their form.

use super::Line;
use crate::Tool;
use crate::found::Outcome;
use crate::notes::Notes;
use crate::text::{after, whole};

/// Its last words when it failed, in the languages of GNU tar's translations that are most in use.
const ENDS: [&str; 11] = [
    "Exiting with failure status due to previous errors",
    "Error is not recoverable: exiting now",
    "Error exit delayed from previous errors",
    "Beende mit Fehlerstatus aufgrund vorheriger Fehler",
    "Arrêt avec code d'échec à cause des erreurs précédentes",
    "Se sale con estado de fallo debido a errores anteriores",
    "Uscita con stato di fallimento in base agli errori precedenti",
    "Saindo com status de falha em razão de erros anteriores",
    "Zakończenie w stanie błędu z powodu uprzednich błędów",
    "Завершение работы с состоянием неисправности из-за возникших ошибок",
    "Gestopt in fouttoestand vanwege eerdere fouten",
];

/// What changed or went away while it was read, in the same languages.
const CHANGES: [&str; 19] = [
    "file changed as we read it",
    "File removed before we read it",
    "File shrank by ",
    "Datei hat sich beim Lesen geändert",
    "Datei gelöscht, bevor sie gelesen wurde",
    "fichier modifié pendant sa lecture",
    "fichier supprimé avant d'avoir été lu",
    "el fichero cambió mientras se estaba leyendo",
    "El fichero fue borrado antes de leerlo",
    "file modificato mentre era in lettura",
    "file rimosso prima di poterlo leggere",
    "arquivo alterado enquanto estava sendo lido",
    "Arquivo removido antes de ser lido",
    "plik zmienił się w trakcie czytania",
    "Plik usunięty zanim został przeczytany",
    "файл изменился во время чтения",
    "Файла удален до его считывания",
    "bestand is gewijzigd tijdens het lezen",
    "Bestand werd verwijderd voordat het gelezen kon worden",
];

pub(crate) fn line(notes: &mut Notes, line: &Line<'_>) -> bool {
    let text = line.text;
    if let Some(message) = after(text, "tar: ").or_else(|| after(text, "bsdtar: ")) {
        said(notes, message, text);
        return true;
    }
    let Some(bytes) = totals(text) else {
        return false;
    };
    let draft = notes.open(Tool::Tar);
    draft.show(text).bytes_total = Some(bytes);
    draft.complete = true;
    true
}

fn said(notes: &mut Notes, message: &str, text: &str) {
    if ENDS.iter().any(|end| message.contains(end)) {
        let closed = notes
            .known(Tool::Tar)
            .is_some_and(|draft| draft.complete && draft.evidence.outcome == Outcome::Ok);
        if closed {
            notes
                .newest(Tool::Tar)
                .judge(Outcome::Failed, message, text);
        } else {
            // With its totals still to come, this is the same run.
            notes.open(Tool::Tar).judge(Outcome::Failed, message, text);
        }
    } else if CHANGES.iter().any(|change| message.contains(change)) {
        notes.warning(Tool::Tar, "a file changed while it was read", text);
    } else if message.contains(": Cannot ") {
        notes.error(Tool::Tar, text);
    } else {
        notes.speaker = Some(Tool::Tar);
    }
}

/// `Total bytes written: 327680 (320KiB, 16MiB/s)`, in any language.
fn totals(text: &str) -> Option<u64> {
    let (head, speeds) = text.strip_suffix("/s)")?.rsplit_once(" (")?;
    let (label, bytes) = head.rsplit_once(": ")?;
    let is_number = !bytes.is_empty() && bytes.bytes().all(|byte| byte.is_ascii_digit());
    let worded = label
        .chars()
        .all(|char| char.is_alphabetic() || " '’".contains(char));
    (is_number && worded && speeds.contains(", ")).then(|| whole(bytes))?
}
