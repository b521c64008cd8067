//! Records that the server refuses.

use super::*;
use crate::config::WhenFull;

#[tokio::test(flavor = "multi_thread")]
async fn letters_refused_again_do_not_hold_up_a_redrive() {
    let dir = Dir::new();
    let root = Root::open(&Server::default(), small(&dir.0, 128 << 10));
    for _ in 0..20 {
        root.emit(large("bad", 9_000)).await;
        root.emit(named("good")).await;
        root.scope.flush().await.unwrap();
    }
    assert_eq!(root.spool().stats().dead_letters, 20);
    let driven = timeout(LONG, root.spool().redrive(None)).await;
    assert_eq!(driven.expect("the redrive hangs").unwrap(), 20);
    timeout(LONG, root.close(SECOND)).await.expect("the close hangs");
    assert_eq!((letters(&dir.0), root.told().len()), (20, 40));
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_that_cannot_be_written_are_not_counted_as_stored() {
    let (dir, server) = (Dir::new(), Server::default());
    let root = Root::open(&server, config(&dir.0));
    root.emit(named("first")).await;
    root.scope.flush().await.unwrap();
    fs::write(dir.0.join("audit_logs/dead"), "").unwrap();
    server.0.silent.send_replace(true);
    let before = *server.0.asked.borrow();
    root.emit(named("bad")).await;
    root.emit(named("good")).await;
    server.0.asked.subscribe().wait_for(|asked| *asked > before).await.unwrap();
    let scope = root.scope.clone();
    let flushing = tokio::spawn(async move { scope.flush().await });
    server.0.silent.send_replace(false);
    let flushed = timeout(LONG, flushing).await.unwrap().unwrap().unwrap();
    assert!(flushed.stored <= 1, "{flushed:?}");
    let closed = timeout(LONG, root.close(SECOND)).await.expect("the close hangs");
    assert!(closed.stored <= 1, "{closed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_a_letter_and_the_cursor_leaves_one_letter() {
    let (dir, server) = (Dir::new(), Server::away());
    let root = Root::open(&server, config(&dir.0));
    root.emit(named("bad")).await;
    root.emit(named("good")).await;
    root.close(Duration::ZERO).await;
    drop(root);
    let entries = fs::read_dir(dir.0.join("audit_logs")).unwrap().map(|entry| entry.unwrap().path());
    let before: Vec<_> = entries.filter(|path| path.is_file()).map(|path| (fs::read(&path).unwrap(), path)).collect();
    server.goes(false);
    for _ in 0..2 {
        let root = Root::open(&server, config(&dir.0));
        root.scope.flush().await.unwrap();
        root.close(SECOND).await;
        assert_eq!((letters(&dir.0), root.told()), (1, vec!["bad".to_owned()]));
        drop(root);
        // As if the cursor had not come to the disk.
        for (bytes, path) in &before {
            fs::write(path, bytes).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_is_sent_again_behind_what_a_close_left_is_told_again_and_stays_one() {
    let (dir, server) = (Dir::new(), Server::away());
    let spilling = || config(&dir.0).when_full(WhenFull::Spill).queue_capacity(2);
    let root = Root::open(&server, spilling());
    for name in ["event.0", "event.1", "event.2", "event.3", "bad", "event.4"] {
        root.emit(named(name)).await;
    }
    server.goes(false);
    root.emit_to_memory("event.5").await;
    root.scope.flush().await.unwrap();
    until("the letter is written", || root.spool().stats().dead_letters == 1).await;
    server.goes(true);
    for name in names(10..20) {
        root.emit(named(&name)).await;
    }
    root.close(SECOND).await;
    assert_eq!((root.told(), letters(&dir.0)), (vec!["bad".to_owned()], 1));
    drop(root);
    server.goes(false);
    let root = Root::open(&server, spilling());
    let flushed = root.scope.flush().await.unwrap();
    root.close(SECOND).await;
    assert_eq!((flushed.failed, root.told(), letters(&dir.0)), (1, vec!["bad".to_owned()], 1));
    assert!(names(10..20).iter().all(|name| server.has(name)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_cannot_be_read_is_kept_aside_and_told_of() {
    let (dir, server) = (Dir::new(), Server::default());
    let root = Root::open(&server, config(&dir.0));
    root.emit(named("bad")).await;
    root.emit(named("good")).await;
    root.scope.flush().await.unwrap();
    until("the letter is written", || root.spool().stats().dead_letters == 1).await;
    let file = fs::read_dir(dir.0.join("audit_logs/dead")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.len() - 20;
    bytes[at] ^= 1;
    fs::write(&file, &bytes).unwrap();
    assert_eq!(root.spool().redrive(None).await.unwrap(), 0);
    let kept = fs::read_dir(dir.0.join("audit_logs/damaged")).unwrap().next().unwrap().unwrap().path();
    assert_eq!((file.exists(), fs::read(kept).unwrap()), (false, bytes));
    let stats = root.spool().stats();
    assert_eq!((stats.damaged, stats.dead_letters), (1, 0));
    assert_eq!((root.scope.stats().stored, root.scope.stats().failed), (1, 1), "no record was lost");
}
